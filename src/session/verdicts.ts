/** What becomes of the tool calls of a step: run, ask a person first, or tell the model why not. */
import type { Agent } from '../agents/agent.ts'
import type { ToolSet } from '../agents/tools/tool.ts'
import type { CallVerdict } from '../core/command.ts'
import { toolAction } from '../core/tool-policy.ts'
import { jsonBytes, limits } from '../protocol/limits.ts'
import type { Settings } from '../protocol/session.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { MadeCall } from './message-assembly.ts'

export interface CallRules {
  agent: Agent
  tools: ToolSet
  settings: Settings
}

export function verdictsOf(calls: readonly MadeCall[], rules: CallRules): CallVerdict[] {
  return calls.map((call, index) => {
    if (index < limits.toolCallsPerStep) return verdictOf(call, rules)
    return refused(`Not run: an answer may call ${limits.toolCallsPerStep} tools at most.`)
  })
}

function verdictOf({ toolName, input, problem }: MadeCall, { agent, tools, settings }: CallRules): CallVerdict {
  const tool = tools.get(toolName)
  if (!tool) return refused(`There is no tool named ${toolName}. ${namesOf(tools)}`)
  if (problem !== null) return refused(problem)
  const bytes = jsonBytes(input ?? null)
  if (bytes > limits.toolInputBytes) return refused(`The input is ${bytes} bytes of JSON; ${limits.toolInputBytes} is the most.`)
  const wrong = tool.problemOf(input)
  if (wrong !== null) return refused(wrong)
  const { idempotent } = tool
  switch (toolAction(toolName, tool.approval, settings, agent.policies)) {
    case 'allow':
      return { type: 'run', idempotent }
    case 'deny':
      return refused('Not allowed: a policy denies this tool.')
    case 'ask': {
      const expiresInSeconds = settings.approvalExpiresInSeconds ?? agent.approvalExpiresInSeconds
      return { type: 'ask', idempotent, inputHash: inputHashOf(toolName, input), expiresInMs: expiresInSeconds * 1000 }
    }
  }
}

/** What an approval is bound to (rule APR4). */
export function inputHashOf(toolName: string, input: unknown): string {
  return fingerprintOf(`tool ${toolName}`, input ?? null)
}

function refused(message: string): CallVerdict {
  return { type: 'refuse', message }
}

const maxNames = 20

function namesOf(tools: ToolSet): string {
  const names = [...tools.keys()]
  if (names.length === 0) return 'You have no tools.'
  return `Your tools are: ${names.slice(0, maxNames).join(', ')}${names.length > maxNames ? ' and others' : ''}.`
}
