/** Approvals: tool calls that wait for a person, listed and answered. */
import { ApprovalSchema } from '../protocol/approval.ts'
import { AnswerApprovalSchema } from '../protocol/body.ts'
import { commandAnswer, readAnswer } from './answer.ts'
import { ApprovalPageSchema, json } from './answer-schemas.ts'
import { ListApprovalsQuery, NoQuery } from './query.ts'
import { route } from './route.ts'
import { ask } from './session-gateway.ts'

const listApprovals = route({
  method: 'get',
  path: '/v1/sessions/:id/approvals',
  verb: 'read',
  summary: 'List approvals, newest first',
  query: ListApprovalsQuery,
  body: null,
  answers: { 200: json('A page; `next` is the next `before`.', ApprovalPageSchema) },
  async handle(call) {
    const { limit, before = null, status = null } = call.query
    return readAnswer(call.request, await ask(call, 'listApprovals', { limit, before, status }))
  },
})

const answerApproval = route({
  method: 'post',
  path: '/v1/sessions/:id/approvals/:approvalId',
  verb: 'approve',
  summary: 'Answer an approval; the first answer counts',
  query: NoQuery,
  body: AnswerApprovalSchema,
  answers: {
    200: json('The approval, answered. Repeating the answer that won is no error; another one meets `approval_resolved`.', ApprovalSchema),
  },
  async handle(call) {
    const approvalId = call.params['approvalId'] ?? ''
    return commandAnswer(await ask(call, 'answerApproval', { approvalId, answer: call.body }))
  },
})

export const approvalRoutes = [listApprovals, answerApproval]
