/** What a log must be after any number of crashes: whole, lawful, at rest, and holding every acknowledged command once. */
import { agentDefaults } from '../../src/agents/agent.ts'
import { isTerminal, type Event } from '../../src/protocol/event.ts'
import type { InputPart } from '../../src/protocol/message.ts'
import { History } from '../simulation/history.ts'
import { LogModel } from '../simulation/log-model.ts'
import type { Acknowledged } from './writer.ts'

/** Everything that is wrong with it; empty: nothing. */
export function faultsOfLog(events: Event[], acknowledged: Acknowledged[]): string[] {
  return [
    ...faultsOfSeqs(events),
    ...faultsOfTurns(events),
    ...faultsOfRules(events),
    ...acknowledged.flatMap((command) => faultsOfCommand(events, command)),
  ]
}

function faultsOfSeqs(events: Event[]): string[] {
  return events.flatMap(({ seq }, index) => (seq === index + 1 ? [] : [`LOG1: seq ${seq} stands where ${index + 1} is due`]))
}

function faultsOfTurns(events: Event[]): string[] {
  const turnIds = events.flatMap((event) => (event.type === 'turn.queued' ? [event.turnId] : []))
  const ends = events.filter(isTerminal).map(({ turnId }) => turnId)
  return turnIds.flatMap((turnId) => {
    const count = ends.filter((ended) => ended === turnId).length
    return count === 1 ? [] : [`TRN3: ${turnId} has ${count} terminal events`]
  })
}

/** The model knows the rules for every event; it counts a recovery as lawful only where something was cut. */
function faultsOfRules(events: Event[]): string[] {
  const history = new History()
  history.restarts = 1
  const model = new LogModel(history, {
    approvalExpiresInMs: agentDefaults.approvalExpiresInSeconds * 1000,
    budgets: agentDefaults.budgets,
  })
  for (const event of events) model.read(event)
  if (!model.isAtRest) history.violate('TRN3', 'a turn is unfinished')
  return history.violation ? [history.violation.message] : []
}

function faultsOfCommand(events: Event[], { seq, turnId, word }: Acknowledged): string[] {
  const admitted = events.filter((event) => !isSteeredAgain(event) && admittedText(event).includes(word))
  const [only] = admitted
  if (admitted.length !== 1 || !only) return [`TRN6: ${word} was accepted ${admitted.length} times`]
  const isAsTold = only.seq === seq && 'turnId' in only && only.turnId === turnId
  return isAsTold ? [] : [`LOG2: ${word} was acknowledged as ${seq} ${turnId}, and is ${JSON.stringify(only)}`]
}

/** A steered input that its turn did not take up is queued again, as a turn of its own. */
function isSteeredAgain(event: Event): boolean {
  return event.type === 'turn.queued' && event.steeredSeq !== undefined
}

function admittedText(event: Event): string {
  if (event.type === 'turn.queued' || event.type === 'turn.steered') return textOf(event.input)
  return event.type === 'turn.amended' ? textOf(event.parts) : ''
}

function textOf(parts: InputPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
}
