/**
 * The end of a schedule. What was broken heals and everybody comes back; then all that was accepted must come to its end
 * by itself, nothing may go on for ever, and everyone must have ended up with the same log.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Page } from '../../src/protocol/body.ts'
import type { Event } from '../../src/protocol/event.ts'
import type { ToolResultPart } from '../../src/protocol/message.ts'
import type { SessionAnswer, SessionRequest, SessionVerb } from '../../src/session/requests.ts'
import type { LogModel } from './log-model.ts'
import { judge } from './model.ts'
import type { World } from './world.ts'

/** Far more tasks than any schedule needs to come to rest. */
const maxTasks = 20_000
/** What is due later than this (the end of a token that lives for days, say) does not keep the world from resting. */
const horizonMs = 86_400_000
/** What the clocks of two machines may differ by, and some. */
const skewMs = 10_000

/** A wait of so long would see forty alarms if each watched over it. */
const longWaitMs = 1_200_000
/** One that was set before the wait, those of tokens that expire, and what an index that was down still wants to be told. */
const maxAlarmsInWait = 10

export async function judgeAtRest(world: World): Promise<void> {
  heal(world)
  const healedAt = world.object.now()
  await comeToRest(world)
  checkUntended(world)
  for (const client of world.clients) {
    client.readOn()
    client.connect()
  }
  await comeToRest(world)
  if (world.history.violation) return
  const log = await readLog(world)
  const model = judge(world.history, log, world.rules)
  checkWaits(world, log, healedAt)
  if (world.history.violation) return
  checkClients(world, log.length)
  checkIndex(world, log.length)
  await checkReads(world, model)
  await checkKept(world, model, log)
  await checkRestart(world, log)
}

function heal({ patience, index, caller, history, object }: World): void {
  object.danger = 0
  history.note('everything heals')
  patience.isOver = true
  index.health = 'well'
  caller.isUnlucky = false
}

/** Nobody came and nobody asked, and yet every turn has ended (TRN4) and the index knows (IDX2): an alarm saw to both. */
function checkUntended({ index, history }: World): void {
  const status = index.row?.summary.status ?? 'idle'
  if (status !== 'idle')
    history.violate('IDX2', `left alone, the index says ${status} for ever: of a turn that hangs, or for want of a write`)
}

async function comeToRest({ clock, history, object }: World): Promise<void> {
  for (let tasks = 0; tasks < maxTasks && !history.violation; tasks++) {
    if ((clock.nextAt() ?? Infinity) > clock.now + horizonMs) return
    await clock.step()
  }
  if (!history.violation)
    history.violate('TRN3', `after ${maxTasks} more tasks something still goes on, ${object.alarmsFired} alarms into it`)
}

/** A turn that waits for people costs nothing: the object sleeps until somebody answers or their time is over (APR1). */
function checkWaits({ history }: World, log: readonly Event[], healedAt: number): void {
  for (const [i, event] of log.entries()) {
    const next = log[i + 1]
    if (event.type !== 'turn.waiting' || !next) continue
    const from = Math.max(event.at, healedAt)
    const alarms = history.alarms.filter((at) => at > from && at < next.at)
    if (next.at - from > longWaitMs && alarms.length > maxAlarmsInWait)
      history.violate('APR1', `${alarms.length} alarms fired while ${event.turnId} did nothing but wait, for ${next.at - from} ms`)
  }
}

async function readLog(world: World): Promise<Event[]> {
  const log: Event[] = []
  const { caller, history } = world
  for (let after: number | null = 0; after !== null && !history.violation;) {
    const page: ValueOf<'listEvents'> = await ask(world, { verb: 'listEvents', ...caller.envelope(), args: { after, limit: 100 } })
    log.push(...page.items)
    after = page.next
  }
  return log
}

/** Whoever may still be attached has everything, and an answer to all it asked (ATT1, TRN6). */
function checkClients({ clients, history, object, tokenEpoch }: World, head: number): void {
  for (const client of clients) {
    const { principal } = client
    // The clocks of two machines differ, so that a token may have expired on one and be good on the next.
    const lifeMs = principal.kind === 'token' ? principal.expiresAt - object.now() : Infinity
    const isRevoked = principal.kind === 'token' && principal.epoch < tokenEpoch
    const fits =
      client.refusedWith === null ? lifeMs > -skewMs && !isRevoked : client.refusedWith === 4401 && (lifeMs < skewMs || isRevoked)
    if (!fits) history.violate('ATT5', `${client.name}, good for ${lifeMs} ms more, was refused with ${client.refusedWith}`)
    if (client.refusedWith !== null) continue
    const { cursor, isReady } = client.transcript
    if (!isReady || cursor !== head) history.violate('ATT1', `${client.name} came to rest at ${cursor} (ready: ${isReady}) of ${head}`)
    if (!client.isServed) history.violate('TRN6', `${client.name} never got an answer to a command`)
  }
}

/** What the index has is as new as the log, once nothing stands in the way (IDX2). */
function checkIndex({ index, history }: World, head: number): void {
  if (index.row?.version !== head) history.violate('IDX2', `the index came to rest at version ${index.row?.version} of ${head}`)
}

/** Lists that go back in time, page by page, show the log's turns and messages and nothing else. */
async function checkReads(world: World, model: LogModel): Promise<void> {
  const { caller, history } = world
  const turns = await readBack((before) =>
    ask(world, { verb: 'listTurns', ...caller.envelope(), args: { before, limit: 50, status: null } }),
  )
  const known = [...model.turns.values()].reverse().map((turn) => `${turn.turnId} ${turn.end?.type.slice('turn.'.length)}`)
  const listed = turns.flat().map((turn) => `${turn.id} ${turn.status}`)
  if (!isDeepStrictEqual(listed, known)) history.violate('LOG3', `listTurns shows ${listed.join()}; the log has ${known.join()}`)
  const messages = await readBack((before) =>
    ask(world, { verb: 'listMessages', ...caller.envelope(), args: { before, limit: 50, at: null } }),
  )
  const shown = messages.reverse().flatMap((page) => page.map((message) => message.id))
  const conversation = model.conversation.map((message) => message.id)
  if (!isDeepStrictEqual(shown, conversation))
    history.violate('TRN8', `listMessages shows ${shown.join()}; the log has ${conversation.join()}`)
}

/** What is kept beside the log, or read out of it again: whole outputs, notes and approvals. */
async function checkKept(world: World, model: LogModel, log: readonly Event[]): Promise<void> {
  const { caller, history } = world
  const context = await ask(world, { verb: 'getContext', ...caller.envelope(), args: { at: null } })
  const notes = [...model.notes].map(([key, text]) => ({ key, text }))
  if (!isDeepStrictEqual(context.notes, notes)) history.violate('LOG3', `the notes are ${JSON.stringify([context.notes, notes])}`)
  for (const { approval } of model.allCalls()) {
    if (!approval) continue
    const approvals = await ask(world, { verb: 'listApprovals', ...caller.envelope(), args: { before: null, limit: 200, status: null } })
    if (!approvals.items.some((each) => isDeepStrictEqual(each, approval))) history.violate('APR1', `${approval.id} is listed otherwise`)
  }
  for (const result of log.flatMap(resultsOf)) {
    if (result.outputRef === undefined) continue
    const { text } = await ask(world, { verb: 'getOutput', ...caller.envelope(), args: { outputRef: result.outputRef } })
    if (Buffer.byteLength(text) !== result.bytes || !text.startsWith(String(result.output).slice(0, 100)))
      history.violate('TOOL3', `${result.outputRef} has ${Buffer.byteLength(text)} bytes of ${result.bytes}`)
  }
}

function resultsOf(event: Event): ToolResultPart[] {
  return event.type === 'message.completed' ? event.message.parts.filter((part) => part.type === 'tool-result') : []
}

/** All pages, the newest first. */
async function readBack<T>(readPage: (before: number | null) => Promise<Page<T>>): Promise<T[][]> {
  const pages: T[][] = []
  let before: number | null = null
  do {
    const page: Page<T> = await readPage(before)
    pages.push(page.items)
    before = page.next
  } while (before !== null)
  return pages
}

/** An object that slept or crashed equals one that never did (LOG3): the history compares what is shown at one head. */
async function checkRestart(world: World, log: Event[]): Promise<void> {
  const { caller, object, history } = world
  history.sawSession('caller', await ask(world, { verb: 'get', ...caller.envelope(), args: {} }), 'member')
  object.crash()
  history.sawSession('caller', await ask(world, { verb: 'get', ...caller.envelope(), args: {} }), 'member')
  const again = await readLog(world)
  if (!isDeepStrictEqual(again, log))
    history.violate('LOG1', `the log of ${log.length} events has ${again.length} after a restart, or others`)
}

type ValueOf<V extends SessionVerb> = Extract<SessionAnswer<V>, { ok: true }>['value']

/** Asks, and lets the world run until there is an answer. A refusal is a bug here, as is silence. */
async function ask<R extends SessionRequest>(world: World, request: R): Promise<ValueOf<R['verb']>> {
  const answers: SessionAnswer<R['verb']>[] = []
  world.caller.ask(request, (answer) => answers.push(answer))
  await comeToRest(world)
  const [answer] = answers
  if (!answer?.ok) throw new Error(`At rest, ${request.verb} is answered with ${JSON.stringify(answer)}`)
  return answer.value
}
