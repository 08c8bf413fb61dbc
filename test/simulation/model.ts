/**
 * The judge of a whole schedule: reads the final log through the log model and compares it with what every command was
 * told, what every agent said, and what every client saw. Knows nothing of the core.
 */
import { isDeepStrictEqual } from 'node:util'
import { isTerminal, withoutInstructions, type Event } from '../../src/protocol/event.ts'
import type { Answer, CommandRecord, History } from './history.ts'
import { isStartOf, saidBy, type Invocation } from './invocation.ts'
import { isIdempotent } from './call-model.ts'
import { clockSlackMs, LogModel, type ModelTurn, type Rules } from './log-model.ts'
import { secretWords } from './simulated-tools.ts'

export function judge(history: History, log: readonly Event[], rules: Rules): LogModel {
  const model = new LogModel(history, rules)
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
    else if (command.verb === 'answerApproval') checkAnswerTo(history, log, command)
    else checkCommand(history, effects.get(command.key) ?? [], command)
  }
  for (const turn of model.turns.values()) checkTurn(history, model, turn, rules)
  checkTools(history, model)
  checkApprovals(history, model)
  if (JSON.stringify(log).includes(secretWords)) history.violate('SEC4', 'words of an error of a tool are in the log')
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
const fairRefusals = new Set(['busy', 'approval_resolved', 'queue_full', 'turn_finished', 'forbidden', 'unauthorized', 'limit_exceeded'])

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
  if (event.type === 'approval.resolved') return event.approval.reason ?? ''
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

/** First answer wins, and everybody is told of it: who agrees with it was right, who does not learns what stands (APR2). */
function checkAnswerTo(history: History, log: readonly Event[], command: CommandRecord): void {
  checkAnswers(history, command)
  const { id, decision } = command.approval ?? { id: '', decision: 'deny' }
  const wanted = decision === 'allow' ? 'allowed' : 'denied'
  const resolved = log.flatMap((event) => (event.type === 'approval.resolved' && event.approval.id === id ? [event.approval] : []))
  const status = resolved[0]?.status ?? 'pending'
  for (const answer of command.answers) {
    if (answer.ok && (answer.status !== wanted || status !== wanted))
      history.violate('APR2', `${command.key} was told that it ${wanted} ${id}, which is ${status}: ${JSON.stringify(answer)}`)
    if (!answer.ok && answer.code === 'approval_resolved' && (answer.status !== status || status === wanted))
      history.violate('APR2', `${command.key} was told ${JSON.stringify(answer)} of ${id}, which is ${status}`)
  }
}

/** Who is said to have answered did ask for it. */
function checkApprovals(history: History, model: LogModel): void {
  for (const { approval } of model.allCalls()) {
    if (approval?.status !== 'allowed' && approval?.status !== 'denied') continue
    const decision = approval.status === 'allowed' ? 'allow' : 'deny'
    const mayBe = [...history.commands.values()].some(
      (command) =>
        command.approval?.id === approval.id &&
        command.approval.decision === decision &&
        command.principal.id === approval.resolvedBy?.id &&
        approval.reason?.includes(command.key),
    )
    if (!mayBe) history.violate('APR2', `nobody answered as it is said: ${JSON.stringify(approval)}`)
  }
}

/** What tools did to the world, against what the log says that they were let to do (TOOL1, TOOL2, APR4, APR5). */
function checkTools(history: History, model: LogModel): void {
  const calls = new Map(model.allCalls().map((call) => [call.toolCallId, call]))
  for (const { toolCallId, toolName, input } of history.effects) {
    const call = calls.get(toolCallId)
    if (!call || call.starts === 0) history.violate('TOOL1', `${toolName} took effect for ${toolCallId}, which never started`)
    else if (call.toolName !== toolName || !isDeepStrictEqual(call.input, input))
      history.violate('APR4', `${toolName} took effect with ${JSON.stringify(input)} for ${JSON.stringify(call)}`)
  }
  for (const call of calls.values()) {
    const effects = history.effects.filter(({ toolCallId }) => toolCallId === call.toolCallId).length
    const most = isIdempotent(call) ? call.starts : 1
    if (effects > most) history.violate('TOOL2', `${effects} effects of ${JSON.stringify(call)}`)
    if (call.result?.isError === false && effects === 0) history.violate('TOOL1', `no effect of ${JSON.stringify(call)}`)
    if (call.starts > 1 && !isIdempotent(call)) history.violate('TOOL2', `was started twice: ${JSON.stringify(call)}`)
  }
}

/** Each message was said by somebody, who was given the right context; the turn ended for a reason. */
function checkTurn(history: History, model: LogModel, turn: ModelTurn, rules: Rules): void {
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
  const versions = new Set(turn.messages.flatMap(({ message }) => message.agentVersion ?? []))
  if (versions.size > 1) history.violate('AGT1', `${turn.turnId} was answered by versions ${[...versions].join()} of its agent`)
  checkEnding(history, turn, invocations)
  checkBudget(history, turn, rules)
}

/** A budget ends a turn when it is spent, and not before (AGT4). */
function checkBudget(history: History, { turnId, messages, end }: ModelTurn, { budgets }: Rules): void {
  if (!end || messages.length === 0) return
  const spent = {
    'step-limit': messages.length >= (budgets.steps ?? Infinity),
    'token-limit': end.usage.inputTokens + end.usage.outputTokens >= (budgets.tokens ?? Infinity),
    'time-limit': end.usage.activeMs >= (budgets.seconds ?? Infinity) * 1000,
  }
  const reason = end.type === 'turn.completed' ? end.finishReason : null
  for (const [name, isSpent] of Object.entries(spent)) {
    if (reason === name && !isSpent)
      history.violate('AGT4', `${turnId} ended by ${name} with ${messages.length} steps: ${JSON.stringify(end.usage)}`)
  }
  if (end.usage.activeMs > (budgets.seconds ?? Infinity) * 1000 + clockSlackMs)
    history.violate('AGT4', `${turnId} went on for ${end.usage.activeMs} ms`)
  if (messages.length > (budgets.steps ?? Infinity)) history.violate('AGT4', `${turnId} took ${messages.length} steps`)
}

/** A message is what one invocation said: all of it if it came to its end, else how it began. */
function isWordOf(invocation: Invocation, message: ModelTurn['messages'][number]['message']): boolean {
  const said = saidBy(message.parts)
  const { finishReason } = message
  if (message.agentVersion !== undefined && message.agentVersion !== invocation.agentVersion) return false
  if (finishReason === 'stop' || finishReason === 'length' || finishReason === 'steered' || finishReason === 'tool-calls') {
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
  const isKnown = (id: string) => model.messageIds.has(id)
  // Results that were made up for calls without one are no messages of the log.
  const given = speakers.map(({ contextIds, steeredIds }) =>
    contextIds
      .slice(0, contextIds.length - steeredIds.length)
      .filter(isKnown)
      .join(),
  )
  if (!given.includes(known.join())) {
    history.violate('TRN8', `run ${speakers[0]?.ordinal} was given ${given.join(' or ')}; the log as of ${contextSeq} has ${known.join()}`)
  }
}

/** Every way to end has its cause. */
function checkEnding(history: History, turn: ModelTurn, invocations: readonly Invocation[]): void {
  const { end } = turn
  if (end?.type === 'turn.interrupted' && history.restarts === 0) history.violate('TRN4', `${turn.turnId} was interrupted by nothing`)
  const isBlameless = !invocations.some(({ ending }) => ending === 'failed' || ending === 'threw' || ending === 'stalled')
  if (end?.type === 'turn.failed' && isBlameless && history.agentsAway === 0) {
    history.violate('TRN3', `${turn.turnId} failed and its agent did not: ${JSON.stringify(end)}`)
  }
  if (end?.type === 'turn.failed' && JSON.stringify(end.error).includes('~run'))
    history.violate('SEC4', `an agent's own words are in ${JSON.stringify(end)}`)
  const isOutOfTime = end?.type === 'turn.completed' && end.finishReason === 'time-limit'
  if (end?.type === 'turn.completed' && !isOutOfTime && turn.messages.length === 0)
    history.violate('TRN3', `${turn.turnId} completed without a message`)
  if (end?.type === 'turn.cancelled' && !wasAskedToEnd(history, turn))
    history.violate('TRN7', `${turn.turnId} was cancelled, and nobody asked`)
}

function wasAskedToEnd(history: History, turn: ModelTurn): boolean {
  return [...history.commands.values()].some((command) => command.turnId === turn.turnId || command.whenBusy === 'interrupt')
}
