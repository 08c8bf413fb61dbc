/**
 * Rows that the steps of a turn write, exactly: as the turn's own usage counts them, its alarm and its share of snapshots
 * included. A step is one model call.
 */
import { calls, type Answer } from '../upstream/answer.ts'
import type { Scenario } from './bench.ts'
import { atMost, type Figure } from './figure.ts'
import { fortyPieces, oneCalculation, type ModelWorld } from './model-world.ts'
import { summarize } from './samples.ts'

/** Snapshots are written every 32 commits: many turns tell what they cost in the mean. */
const turns = 64
const maxRowsPerStep = 3

const shapes: { name: string; steps: Answer[] }[] = [
  { name: 'text', steps: [fortyPieces] },
  { name: '1 tool call', steps: [oneCalculation, fortyPieces] },
  { name: '5 tool calls, one after the other', steps: [...Array.from({ length: 5 }, () => oneCalculation), fortyPieces] },
  { name: '4 tool calls side by side', steps: [sideBySide(4), fortyPieces] },
]

export const stepRows: Scenario = {
  name: 'step-rows',
  async run(bench) {
    const world = await bench.models()
    const figures: Figure[] = []
    for (const shape of shapes) {
      bench.progress(`step rows: ${shape.name}`)
      figures.push(figureOf(shape, await rowsOf(world, shape)))
    }
    return figures
  },
}

/** Rows written by each turn of one session, one turn after the other. */
async function rowsOf(world: ModelWorld, { name, steps }: { name: string; steps: Answer[] }): Promise<number[]> {
  const model = `rows-${name.replaceAll(/\W+/g, '-')}`
  await world.script(model, steps, turns)
  const session = await world.session(model)
  const rows: number[] = []
  for (let turn = 0; turn < turns; turn++) await session.turn((frame) => rows.push(...rowsIn(frame)), 'What is six times seven?')
  session.close()
  const asked = (await world.calls(model)).length
  if (rows.length !== turns || asked !== turns * steps.length)
    throw new Error(`${rows.length} of ${turns} turns told rows, in ${asked} steps`)
  return rows
}

function rowsIn(frame: string): number[] {
  if (!frame.startsWith('{"type":"event"') || !frame.includes('"type":"turn.completed"')) return []
  const { event } = JSON.parse(frame) as { event: { usage: { storage: { rowsWritten: number } } } }
  return [event.usage.storage.rowsWritten]
}

function figureOf({ name, steps }: { name: string; steps: Answer[] }, rows: readonly number[]): Figure {
  const { mean, min, max } = summarize(rows)
  const value = mean / steps.length
  const note = `mean of ${turns} turns of ${steps.length} steps, which wrote ${min} to ${max} rows each`
  return { name: `rows written per step, ${name}`, value, unit: 'rows', bar: atMost(maxRowsPerStep, value), note, samples: summarize(rows) }
}

function sideBySide(count: number): Answer {
  const pieces = Array.from({ length: count }, (_, call) => calls('calculate', { expression: `${call} * 7` }, { call })).flat()
  return { pieces, finishReason: 'tool-calls' }
}
