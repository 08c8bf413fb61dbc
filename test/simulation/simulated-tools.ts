/**
 * Tools that have real effects, as far as this world is real: a call leaves the object when all that was written before it is
 * durable, and takes effect a while later, whether or not whoever sent it is still alive. The world counts every effect.
 */
import { ToolError, toolSet, type Tool, type ToolAnswer, type ToolCall, type ToolSet } from '../../src/agents/tools/tool.ts'
import type { SimulatedObject } from './simulated-object.ts'
import { toolRules, type ToolName } from './tool-rules.ts'

/** Something that a tool did to the world, for good. */
export interface Effect {
  toolCallId: string
  toolName: string
  input: unknown
}

export const toolTimeoutMs = 30_000
/** Words of an error that was not made for people; they must never reach anybody (SEC4). */
export const secretWords = '~run-secret~'

export function simulatedTools(object: SimulatedObject): ToolSet {
  return toolSet((Object.keys(toolRules) as ToolName[]).map((name) => simulatedTool(name, object)))
}

/** What is wrong with an input, by the one rule that all these tools have. */
export function problemOf(input: unknown): string | null {
  const isGood = typeof input === 'object' && input !== null && 'word' in input
  return isGood ? null : 'The input needs a word.'
}

function simulatedTool(name: ToolName, object: SimulatedObject): Tool {
  return {
    name,
    description: 'Does something.',
    inputSchema: { type: 'object' },
    ...toolRules[name],
    timeoutMs: toolTimeoutMs,
    maxOutputBytes: 1024 * 1024,
    problemOf,
    run: (input, call) => run(name, input, call, object),
  }
}

async function run(toolName: ToolName, input: unknown, call: ToolCall, object: SimulatedObject): Promise<ToolAnswer> {
  const { random, host, history } = object
  history.note(`tool ${toolName} begins ${call.toolCallId}`)
  object.tempt()
  await takeEffect({ toolCallId: call.toolCallId, toolName, input }, object)
  // One in a hundred answers too late, or never.
  await host.wait(random.chance(0.01) ? 2 * toolTimeoutMs : random.pick([0, 5, 100, 2000]))
  const ending = random.weighted([
    [16, 'answered'],
    [1, 'denied'],
    [1, 'failed'],
    [0.7, 'threw'],
  ])
  if (ending === 'failed') throw new ToolError('It is out of tea.')
  if (ending === 'threw') throw new TypeError(secretWords)
  return { ...answerOf(toolName, call, object), isError: ending === 'denied' }
}

/** Resolves when it has happened, unless the object has died by then: it happens all the same. */
function takeEffect(effect: Effect, object: SimulatedObject): Promise<void> {
  const { clock, random, history, release } = object
  return new Promise((resolve) => {
    release(() => {
      clock.after(random.pick([0, 3, 60, 1500]), () => {
        history.effects.push(effect)
        object.tempt()
        history.note(`tool ${effect.toolName} has its effect for ${effect.toolCallId}`)
        resolve()
      })
    })
  })
}

function answerOf(toolName: ToolName, { toolCallId, notes }: ToolCall, { random }: SimulatedObject): ToolAnswer {
  if (toolName === 'dump') return { output: `${toolCallId} ${'é'.repeat(random.pick([10, 35_000]))}` }
  if (toolName !== 'note') return { output: { found: toolCallId } }
  const key = random.pick(['name', 'place', 'plan'])
  const isKnown = notes.some((note) => note.key === key)
  return { output: 'noted', notes: [{ key, text: isKnown && random.chance(0.4) ? null : `of ${toolCallId}` }] }
}
