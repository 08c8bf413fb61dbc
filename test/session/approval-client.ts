/**
 * An agent that needs a person's yes, and a person who sees what waits and answers it. Answers go straight to the object, as
 * the edge would pass them on.
 */
import type { Principal } from '../../src/protocol/access.ts'
import type { Approval } from '../../src/protocol/approval.ts'
import type { AnswerApproval, Page } from '../../src/protocol/body.ts'
import type { Session } from '../../src/protocol/session.ts'
import type { SessionAnswer } from '../../src/session/requests.ts'
import { perform, stubOf } from './object-probe.ts'
import { calls, scriptedAgent, tellsResults, tool, type Script } from './scripted-agent.ts'
import { answerOf, eventually, everyEvent, getSession, messagesIn, textOf } from './session-client.ts'

/** The session, once its turn waits for so many answers. */
export function whenWaiting(id: string, approvals = 1): Promise<Session> {
  return eventually(
    () => getSession(id),
    ({ status, pendingApprovals }) => status === 'waiting' && pendingApprovals.length === approvals,
  )
}

/** The one approval that the session waits for. */
export async function soleApproval(id: string): Promise<Approval> {
  const [approval] = (await whenWaiting(id)).pendingApprovals
  if (!approval) throw new Error('Nothing waits')
  return approval
}

type Answer = Omit<AnswerApproval, 'scope'> & Partial<Pick<AnswerApproval, 'scope'>>

export function answer(id: string, approvalId: string, given: Answer, principal?: Principal): Promise<SessionAnswer> {
  const args = { approvalId, answer: { scope: 'once' as const, ...given } }
  return perform(stubOf(id), id, { verb: 'answerApproval', args }, principal)
}

/** An agent that calls `pay` with each of the inputs, and tells what came of it; and what `pay` was run with. */
export function payingAgent(inputs: unknown[], script: Partial<Script> = {}): { agent: string; paid: unknown[] } {
  const paid: unknown[] = []
  const pay = tool('pay', {
    approval: 'always',
    idempotent: false,
    run: async (input) => {
      paid.push(input)
      return { output: `paid ${JSON.stringify(input)}` }
    },
  })
  const ask = () => calls(...inputs.map((input): [string, unknown] => ['pay', input]))
  return { agent: scriptedAgent({ tools: [pay], steps: [ask, tellsResults], ...script }), paid }
}

/** What the turn said last. */
export async function lastWords(id: string, turnId: string): Promise<string> {
  const said = messagesIn(await everyEvent(id)).filter((message) => message.turnId === turnId)
  return textOf(said.at(-1) ?? { parts: [] })
}

export const approvalsOf = (id: string, query = '') => answerOf<Page<Approval>>(200, 'GET', `/v1/sessions/${id}/approvals${query}`)
