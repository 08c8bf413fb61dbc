/**
 * One line of JSON for each request, and for each error. They name the route's pattern, never the address itself, and no
 * header: what a client may have put a secret or its users' words into is not logged (rule SEC4).
 */
import type { MiddlewareHandler } from 'hono'
import type { EdgeContext, EdgeEnv } from './route.ts'

export const logRequests: MiddlewareHandler<EdgeEnv> = async (context, next) => {
  const startedAt = Date.now()
  await next()
  const { method } = context.req.raw
  const { status } = context.res
  console.log(JSON.stringify({ event: 'request', method, status, ms: Date.now() - startedAt, ...placeOf(context) }))
}

export function logFailure(context: EdgeContext, error: Error): void {
  const { name, stack = '' } = error
  // A message may quote what it choked on: the places in the code tell enough.
  const frames = stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
  console.error(JSON.stringify({ event: 'request.failed', level: 'error', error: name, stack: frames, ...placeOf(context) }))
}

function placeOf(context: EdgeContext) {
  return { route: context.get('route'), requestId: context.get('requestId'), tenant: context.get('tenant') }
}
