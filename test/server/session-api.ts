/** The HTTP API as a careful client uses it: commands carry a key and are sent again until the server has answered them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from '../../src/protocol/body.ts'
import type { Problem } from '../../src/protocol/errors.ts'
import type { Event } from '../../src/protocol/event.ts'
import type { Session, SessionSummary } from '../../src/protocol/session.ts'
import type { Turn } from '../../src/protocol/turn.ts'

/** Where a server is, and what it is to be shown. */
export interface Credentials {
  url: string
  key: string
}

export interface TurnReceipt {
  turn: Turn
  seq: number
}

interface RequestParts {
  method?: string
  body?: string
  headers?: Record<string, string>
}

const answerMs = 10_000
const sendAgainMs = 50
const giveUpMs = 90_000

/** An answer that will not change by asking again. */
export class Refused extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`)
    this.problem = problem
  }
}

export class SessionApi {
  readonly #server: Credentials

  constructor(server: Credentials) {
    this.#server = server
  }

  createSession(body: object = {}): Promise<Session> {
    return this.#command('/v1/sessions', body, crypto.randomUUID())
  }

  submitTurn(sessionId: string, body: { input: string; whenBusy?: string }, key: string = crypto.randomUUID()): Promise<TurnReceipt> {
    return this.#command(`/v1/sessions/${sessionId}/turns`, body, key)
  }

  session(sessionId: string): Promise<Session> {
    return this.#untilAnswered(`/v1/sessions/${sessionId}`)
  }

  /** The whole log. */
  async events(sessionId: string): Promise<Event[]> {
    const events: Event[] = []
    for (let after: number | null = 0; after !== null;) {
      const page: Page<Event> = await this.#untilAnswered(`/v1/sessions/${sessionId}/events?after=${after}&limit=200`)
      events.push(...page.items)
      after = page.next
    }
    return events
  }

  /** The session index, whole. */
  async summaries(): Promise<SessionSummary[]> {
    const summaries: SessionSummary[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Page<SessionSummary, string> = await this.#untilAnswered(`/v1/sessions?limit=200${cursor && `&cursor=${cursor}`}`)
      summaries.push(...page.items)
      cursor = page.next
    }
    return summaries
  }

  /** Resolves when no turn runs and none waits. */
  async atRest(sessionId: string): Promise<Session> {
    for (;;) {
      const session = await this.session(sessionId)
      if (session.activeTurn === null && session.queue.length === 0) return session
      await sleep(100)
    }
  }

  #command<T>(path: string, body: object, key: string): Promise<T> {
    return this.#untilAnswered(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
    })
  }

  async #untilAnswered<T>(path: string, init: RequestParts = {}): Promise<T> {
    const deadline = Date.now() + giveUpMs
    for (;;) {
      const answer = await this.#ask<T>(path, init)
      if (answer.ok) return answer.value
      if (Date.now() > deadline) throw new Error(`${path} was not answered within ${giveUpMs} ms; at last: ${answer.reason}`)
      await sleep(sendAgainMs)
    }
  }

  /** Not ok: there was no answer, or one that says to try again. */
  async #ask<T>(path: string, init: RequestParts): Promise<{ ok: true; value: T } | { ok: false; reason: string }> {
    const headers = { authorization: `Bearer ${this.#server.key}`, ...init.headers }
    try {
      const response = await fetch(`${this.#server.url}${path}`, { ...init, headers, signal: AbortSignal.timeout(answerMs) })
      const text = await response.text()
      if (response.ok) return { ok: true, value: JSON.parse(text) as T }
      // What is in front of the server answers in its own words while it has none behind it.
      const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json')
      const problem = isProblem ? (JSON.parse(text) as Problem) : null
      if (problem && !problem.retryable) throw new Refused(problem)
      return { ok: false, reason: text }
    } catch (error) {
      if (error instanceof Refused) throw error
      return { ok: false, reason: String(error) }
    }
  }
}
