/** Draws commands. Each has its own key and carries it as a word in its input or title, so that the log tells how often it had an effect. */
import type { Principal } from '../../src/protocol/access.ts'
import type { AnswerApproval, SubmitTurn, UpdateSession } from '../../src/protocol/body.ts'
import type { ErrorBody } from '../../src/protocol/errors.ts'
import type { Answer, CommandRecord, History } from './history.ts'
import type { Random } from './random.ts'
import { settingsToChoose } from './tool-rules.ts'

export type CommandBody =
  | { verb: 'submitTurn'; args: SubmitTurn }
  | { verb: 'cancelTurn'; args: { turnId: string } }
  | { verb: 'update'; args: { patch: UpdateSession } }
  | { verb: 'answerApproval'; args: { approvalId: string; answer: AnswerApproval } }

export interface DrawnCommand {
  record: CommandRecord
  body: CommandBody
}

export function drawCommand(random: Random, history: History, principal: Principal): DrawnCommand {
  const key = `~cmd${history.commands.size + 1}~`
  const body = drawBody(random, history, key)
  const record: CommandRecord = {
    key,
    verb: body.verb,
    whenBusy: body.verb === 'submitTurn' ? body.args.whenBusy : null,
    turnId: body.verb === 'cancelTurn' ? body.args.turnId : null,
    approval: body.verb === 'answerApproval' ? { id: body.args.approvalId, decision: body.args.answer.decision } : null,
    principal,
    unanswered: 0,
    answers: [],
  }
  history.commands.set(key, record)
  return { record, body }
}

/** What any answer to any command tells of its effect; null: it says nothing that this test knows. */
export function readResult(result: unknown): { seq: number | null; turnId: string | null; status: string | null } {
  const nothing = { seq: null, turnId: null, status: null }
  if (typeof result !== 'object' || result === null) return nothing
  if ('turn' in result && 'seq' in result) return { ...nothing, seq: numberOf(result.seq), turnId: idOf(result.turn) }
  if ('queuedAt' in result) return { ...nothing, turnId: idOf(result) }
  if ('requestedAt' in result && 'status' in result) return { ...nothing, status: String(result.status) }
  return nothing
}

export function refusalOf({ code, approval }: ErrorBody): Extract<Answer, { ok: false }> {
  return { ok: false, code, status: approval?.status ?? null }
}

function drawBody(random: Random, history: History, word: string): CommandBody {
  const turnId = latestTurnId(random, history)
  const approvalId = drawApprovalId(random, history)
  const verb = random.weighted([
    [10, 'submitTurn'],
    [turnId ? 2.5 : 0, 'cancelTurn'],
    [1.5, 'update'],
    [approvalId ? 14 : 0, 'answerApproval'],
  ] as const)
  if (verb === 'answerApproval' && approvalId) return { verb, args: { approvalId, answer: drawAnswer(random, word) } }
  if (verb === 'cancelTurn' && turnId) return { verb, args: { turnId } }
  if (verb === 'update') return { verb, args: { patch: drawPatch(random, word) } }
  const whenBusy = random.weighted([
    [8, 'enqueue'],
    [2, 'reject'],
    [3, 'interrupt'],
    [6, 'steer'],
    [4, 'collect'],
  ] as const)
  return { verb: 'submitTurn', args: { input: [{ type: 'text', text: `please ${word} 😀` }], whenBusy } }
}

/** The title carries the word: each update is told from every other. */
function drawPatch(random: Random, word: string): UpdateSession {
  const title = `title ${word}`
  if (random.chance(0.3)) return { title, tags: [`t${random.between(1, 9)}`] }
  return random.chance(0.3) ? { title, settings: random.pick(settingsToChoose) } : { title }
}

/** The reason carries the word. */
function drawAnswer(random: Random, word: string): AnswerApproval {
  const decision = random.chance(0.65) ? 'allow' : 'deny'
  return { decision, scope: random.chance(0.2) ? 'session' : 'once', reason: `because ${word}` }
}

/** Mostly one that may still be pending; several people may answer the same. */
function drawApprovalId(random: Random, history: History): string | null {
  const { asked, pending } = approvalsSeen(history)
  if (asked.length === 0) return null
  return random.pick(pending.length > 0 && random.chance(0.8) ? pending : asked.slice(-4))
}

/** As far as anybody was shown. */
function approvalsSeen({ events }: History): { asked: string[]; pending: string[] } {
  const asked: string[] = []
  const ended = new Set<string>()
  for (const event of events.values()) {
    if (event.type === 'approval.requested') asked.push(event.approval.id)
    if (event.type === 'approval.resolved') ended.add(event.approval.id)
  }
  return { asked, pending: asked.filter((id) => !ended.has(id)) }
}

/** Mostly one of the newest turns, which may still be running. */
function latestTurnId(random: Random, history: History): string | null {
  const turnIds = [...history.events.values()].flatMap((event) => (event.type === 'turn.queued' ? [event.turnId] : []))
  return turnIds.length === 0 ? null : random.pick(turnIds.slice(-3))
}

function idOf(turn: unknown): string | null {
  return typeof turn === 'object' && turn !== null && 'id' in turn && typeof turn.id === 'string' ? turn.id : null
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
