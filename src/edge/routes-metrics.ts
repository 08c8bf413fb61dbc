/** Metrics, for whoever watches. */
import { NoQuery } from './query.ts'
import { route } from './route.ts'

const metrics = route({
  method: 'get',
  path: '/v1/metrics',
  verb: 'metrics',
  summary: 'Metrics for Prometheus: of your tenant, or of all with a key of scope `operator`',
  query: NoQuery,
  body: null,
  answers: { 200: { description: 'Counters in the text format, version 0.0.4, labelled by tenant.', mediaType: 'text/plain' } },
  async handle({ env, principal }) {
    const isOperator = principal.kind === 'key' && principal.scope === 'operator'
    const { metricsAnswer } = await import('./metrics-answer.ts')
    return metricsAnswer(env, isOperator ? null : principal.tenant)
  },
})

export const metricsRoutes = [metrics]
