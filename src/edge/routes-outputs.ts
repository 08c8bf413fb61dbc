/** Outputs of tools that are too large for the log, whole or in ranges. */
import { commandAnswer } from './answer.ts'
import { NoQuery } from './query.ts'
import { route } from './route.ts'
import { ask } from './session-gateway.ts'

const getOutput = route({
  method: 'get',
  path: '/v1/sessions/:id/outputs/:ref',
  verb: 'read',
  summary: 'Read the whole output of a tool',
  query: NoQuery,
  body: null,
  answers: {
    200: { description: 'What the tool answered: JSON if it is that, else plain text.', mediaType: 'text/plain' },
    206: { description: 'The bytes that `Range` asks for.', mediaType: 'text/plain' },
    416: { description: 'The output has no such bytes; `Content-Range` tells how many it has.', mediaType: 'application/problem+json' },
  },
  async handle(call) {
    const ref = call.params['ref'] ?? ''
    const answer = await ask(call, 'getOutput', { outputRef: ref })
    if (!answer.ok) return commandAnswer(answer)
    const { outputAnswer } = await import('./output-answer.ts')
    return outputAnswer(call.request, ref, answer.value.text, answer.head)
  },
})

export const outputRoutes = [getOutput]
