/**
 * The judge of a whole schedule: reads the final log through the log model and compares it with what every command was
 * told, what every agent said, and what every client saw. Knows nothing of the core.
 */
import { isDeepStrictEqual } from 'node:util'
import { isTerminal, withoutInstructions, type Event } from '../../src/protocol/event.ts'
import type { Answer, CommandRecord, History } from './history.ts'
import { isStartOf, saidBy, type Invocation } from './invocation.ts'
import { LogModel, type ModelTurn } from './log-model.ts'

export function judge(history: History, log: readonly Event[]): LogModel {
  const model = new LogModel(history)
  for (const event of log) {
    model.read(event)
    const session = history.sessions.get(event.seq)
    if (session) model.check(session)
  }
  if (!model.isAtRest) history.violate('TRN3', 'a turn was accepted and never ended')
  checkShown(history, log)
  const effects = effectsByKey(log)
  for (const command of history.commands.values()) {
    if (command.verb === 'cancelTurn') checkCancel(history, log, command)
    else checkCommand(history, effects.get(command.key) ?? [], command)
  }
  for (const turn of model.turns.values()) checkTurn(history, model, turn)
  return model
}

/** What anybody ever saw is in the log, and still says the same (LOG1, LOG2). */
function checkShown(history: History, log: readonly Event[]): void {
  for (const [seq, event] of history.events) {
    const stored = log[seq - 1]
    if (!stored || !isDeepStrictEqual(withoutInstructions(stored), event)) {
      history.violate('LOG2', `somebody was shown ${JSON.stringify(event)}; the log has ${JSON.stringify(log[seq - 1])}`)
    }
  }
  const shown = Math.max(0, ...history.sessions.keys())
  if (shown > log.length) history.violate('LOG2', `somebody was shown a session at head ${shown}; the log ends at ${log.length}`)
}

/** Refusals that a correct client may meet; anything else is no answer to what these clients ask. */
const fairRefusals = new Set(['busy', 'queue_full', 'turn_finished', 'forbidden', 'unauthorized', 'limit_exceeded'])

/** Accepted: one effect, and every answer says so. Refused, and every send answered: none (TRN6, LOG2). */
function checkCommand(history: History, effects: readonly Event[], command: CommandRecord): void {
  const first = checkAnswers(history, command)
  if (effects.length > 1) history.violate('TRN6', `${command.key} had ${effects.length} effects: ${JSON.stringify(effects)}`)
  if (first && effects.length === 0) history.violate('LOG2', `${command.key} was acknowledged and is not in the log`)
  const isRefused = !first && command.unanswered === 0 && command.answers.length > 0
  if (isRefused && effects.length > 0) history.violate('TRN6', `${command.key} was refused and is in the log at ${effects[0]?.seq}`)
  const [effect] = effects
  if (!first || !effect || command.verb !== 'submitTurn') return
  if (first.seq !== effect.seq || !('turnId' in effect) || first.turnId !== effect.turnId) {
    history.violate('LOG2', `${command.key} was told ${JSON.stringify(first)}; the log has ${JSON.stringify(effect)}`)
  }
}

/** Every refusal is one that may be, and all that accept say the same; answers the first of these. */
function checkAnswers(history: History, command: CommandRecord): Extract<Answer, { ok: true }> | undefined {
  const accepted = command.answers.flatMap((answer) => (answer.ok ? [answer] : []))
  for (const answer of command.answers) {
    if (!answer.ok && !fairRefusals.has(answer.code)) history.violate('TRN6', `${command.key} was refused with ${answer.code}`)
  }
  for (const answer of accepted) {
    if (!isDeepStrictEqual(answer, accepted[0])) history.violate('TRN6', `${command.key} was told ${JSON.stringify([accepted[0], answer])}`)
  }
  return accepted[0]
}

/** Which events each command made: its key is a word in them. */
function effectsByKey(log: readonly Event[]): Map<string, Event[]> {
  const effects = new Map<string, Event[]>()
  for (const event of log) {
    for (const key of wordsOf(event).match(/~cmd\d+~/g) ?? []) effects.set(key, [...(effects.get(key) ?? []), event])
  }
  return effects
}

/** A steered input that became a turn, or stands in a message, is the same effect as its `turn.steered`. */
function wordsOf(event: Event): string {
  if (event.type === 'turn.queued') return event.steeredSeq === undefined ? JSON.stringify(event.input) : ''
  if (event.type === 'turn.steered') return JSON.stringify(event.input)
  if (event.type === 'turn.amended') return JSON.stringify(event.parts)
  return event.type === 'session.updated' ? (event.patch.title ?? '') : ''
}

/** A cancel that was accepted is the end of its turn; one that came too late was told of another end. */
function checkCancel(history: History, log: readonly Event[], command: CommandRecord): void {
  checkAnswers(history, command)
  const end = log.find((event) => isTerminal(event) && event.turnId === command.turnId)
  for (const answer of command.answers) {
    if (answer.ok && end?.type !== 'turn.cancelled') history.violate('TRN3', `${command.key} cancelled a turn that ended as ${end?.type}`)
    if (!answer.ok && answer.code === 'turn_finished' && !end)
      history.violate('TRN3', `${command.key} was told of an end that is not in the log`)
  }
}

/** Each message was said by somebody, who was given the right context; the turn ended for a reason. */
function checkTurn(history: History, model: LogModel, turn: ModelTurn): void {
  const invocations = history.invocations.filter((invocation) => invocation.turnId === turn.turnId)
  for (const event of turn.messages) {
    const { message, contextSeq } = event
    if (!message.parts.every((part) => !('text' in part) || part.text.isWellFormed())) {
      history.violate('ATT2', `message ${message.id} ends inside a surrogate pair`)
    }
    const speakers = invocations.filter((invocation) => isWordOf(invocation, event.message))
    if (speakers.length === 0) history.violate('TRN5', `nobody said ${JSON.stringify(event)}; said was ${JSON.stringify(invocations)}`)
    else if (message.parts.length > 0) checkContext(history, model, speakers, contextSeq)
  }
  checkEnding(history, turn, invocations)
}

/** A message is what one invocation said: all of it if it came to its end, else how it began. */
function isWordOf(invocation: Invocation, message: ModelTurn['messages'][number]['message']): boolean {
  const said = saidBy(message.parts)
  const { finishReason } = message
  if (finishReason === 'stop' || finishReason === 'length' || finishReason === 'steered') {
    // An agent that returns without a word about it has come to its end too.
    const ending = invocation.ending === 'returned' ? 'stop' : invocation.ending
    // Half a character at the end of all it said is no character.
    const whole = invocation.said.map(({ type, text }) => ({ type, text: text.toWellFormed() }))
    return ending === finishReason && isDeepStrictEqual(whole, said)
  }
  return isStartOf(said, invocation.said)
}

/** Conversation order is promotion order, and the agent was given just that (TRN8). A short word may be that of several. */
function checkContext(history: History, model: LogModel, speakers: readonly Invocation[], contextSeq: number): void {
  const known = model.conversation.filter((message) => message.seq <= contextSeq).map((message) => message.id)
  const given = speakers.map(({ contextIds, steeredIds }) => contextIds.slice(0, contextIds.length - steeredIds.length).join())
  if (!given.includes(known.join())) {
    history.violate('TRN8', `run ${speakers[0]?.ordinal} was given ${given.join(' or ')}; the log as of ${contextSeq} has ${known.join()}`)
  }
}

/** Every way to end has its cause. */
function checkEnding(history: History, turn: ModelTurn, invocations: readonly Invocation[]): void {
  const { end } = turn
  if (end?.type === 'turn.interrupted' && history.restarts === 0) history.violate('TRN4', `${turn.turnId} was interrupted by nothing`)
  if (end?.type === 'turn.failed' && !invocations.some(({ ending }) => ending === 'failed' || ending === 'threw')) {
    history.violate('TRN3', `${turn.turnId} failed and its agent did not: ${JSON.stringify(end)}`)
  }
  if (end?.type === 'turn.failed' && JSON.stringify(end.error).includes('~run'))
    history.violate('SEC4', `an agent's own words are in ${JSON.stringify(end)}`)
  if (end?.type === 'turn.completed' && turn.messages.length === 0) history.violate('TRN3', `${turn.turnId} completed without a message`)
  if (end?.type === 'turn.cancelled' && !wasAskedToEnd(history, turn))
    history.violate('TRN7', `${turn.turnId} was cancelled, and nobody asked`)
}

function wasAskedToEnd(history: History, turn: ModelTurn): boolean {
  return [...history.commands.values()].some((command) => command.turnId === turn.turnId || command.whenBusy === 'interrupt')
}
