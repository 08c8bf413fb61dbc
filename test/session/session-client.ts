/** Sessions and turns over the Worker's own `fetch`, as a client makes them. What a test does not expect throws. */
import { expect } from 'vitest'
import type { Page } from '../../src/protocol/body.ts'
import type { Event } from '../../src/protocol/event.ts'
import type { Message } from '../../src/protocol/message.ts'
import type { Session } from '../../src/protocol/session.ts'
import type { Turn, WhenBusy } from '../../src/protocol/turn.ts'
import type { ContextView } from '../../src/session/requests.ts'
import { call, callJson, createSession, type CallOptions } from '../edge/edge-client.ts'

export async function newSession(body: unknown = {}): Promise<string> {
  return (await createSession(body)).id
}

/** The answer's JSON; any other status than the expected one fails the test. */
export async function answerOf<T>(status: number, method: string, path: string, options?: CallOptions): Promise<T> {
  const { response, json } = await callJson<T>(method, path, options)
  expect({ status: response.status, json }).toEqual({ status, json })
  return json
}

export interface Receipt {
  turn: Turn
  seq: number
}

export function submit(id: string, input: string, whenBusy: WhenBusy = 'enqueue'): Promise<Receipt> {
  return answerOf<Receipt>(202, 'POST', `/v1/sessions/${id}/turns`, { body: { input, whenBusy } })
}

/** Submits a turn and waits for its end. */
export function runTurn(id: string, input: string): Promise<{ turn: Turn; messages: Message[] }> {
  return answerOf(200, 'POST', `/v1/sessions/${id}/turns?wait=60`, { body: { input } })
}

export const getSession = (id: string) => answerOf<Session>(200, 'GET', `/v1/sessions/${id}`)
export const getTurn = (id: string, turnId: string) => answerOf<Turn>(200, 'GET', `/v1/sessions/${id}/turns/${turnId}`)
export const getContext = (id: string, query = '') => answerOf<ContextView>(200, 'GET', `/v1/sessions/${id}/context${query}`)
export const cancel = (id: string, turnId: string) => answerOf<Turn>(200, 'POST', `/v1/sessions/${id}/turns/${turnId}/cancel`)

export async function statusOf(method: string, path: string, options?: CallOptions): Promise<number> {
  const response = await call(method, path, options)
  await response.body?.cancel()
  return response.status
}

/** All items of a list, page by page; `next` goes on as the named parameter. */
async function everyItem<T>(path: string, parameter: 'after' | 'before', limit: number): Promise<T[]> {
  const items: T[] = []
  let place = ''
  for (;;) {
    const page = await answerOf<Page<T>>(200, 'GET', `${path}limit=${limit}${place}`)
    items.push(...page.items)
    if (page.next === null) return items
    place = `&${parameter}=${page.next}`
  }
}

export const everyEvent = (id: string) => everyItem<Event>(`/v1/sessions/${id}/events?`, 'after', 200)

/** Newest first. */
export function everyTurn(id: string, { status, limit = 200 }: { status?: string; limit?: number } = {}): Promise<Turn[]> {
  return everyItem<Turn>(`/v1/sessions/${id}/turns?${status === undefined ? '' : `status=${status}&`}`, 'before', limit)
}

/** Asks again and again until the answer is the wanted one. */
export async function eventually<T>(ask: () => Promise<T>, isWanted: (value: T) => boolean, withinMs = 15_000): Promise<T> {
  const until = Date.now() + withinMs
  for (;;) {
    const value = await ask()
    if (isWanted(value)) return value
    if (Date.now() > until) throw new Error(`Still not so after ${withinMs} ms: ${JSON.stringify(value)?.slice(0, 500)}`)
    await scheduler.wait(25)
  }
}

export const whenIdle = (id: string) =>
  eventually(
    () => getSession(id),
    ({ status }) => status === 'idle',
  )

/** Those that stand in the log, steered inputs included; a turn's own input stands elsewhere. */
export function messagesIn(log: readonly Event[]): Message[] {
  return log.flatMap((event) => (event.type === 'message.completed' ? [event.message] : []))
}

export const textOf = ({ parts }: Pick<Message, 'parts'>) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')

/** What `/stream n` says. */
export const words = (count: number) => Array.from({ length: count }, (_, index) => `w${index + 1}`).join(' ')
