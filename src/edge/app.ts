/** The edge: everything that HTTP is about. It checks who asks and what, hands it to a session or the index, and answers. */
import { Hono } from 'hono/tiny'
import { refusal } from '../protocol/errors.ts'
import { logFailure, logRequests } from './access-log.ts'
import { problem } from './answer.ts'
import { commonHeaders, crossOrigin } from './response-headers.ts'
import type { EdgeEnv } from './route.ts'
import { routesOf } from './route-table.ts'
import type { Wiring } from './wiring.ts'

export function createApp(wiring: Wiring): Hono<EdgeEnv> {
  const app = new Hono<EdgeEnv>()
  app.use(async (context, next) => {
    context.set('requestId', crypto.randomUUID())
    context.set('route', 'none')
    context.set('tenant', null)
    await next()
  })
  app.use(logRequests, commonHeaders, crossOrigin)
  // This router, the smallest, is lax about a slash at the end; an address has one form.
  app.use(async (context, next) => {
    const { path } = context.req
    return path.length > 1 && path.endsWith('/') ? context.notFound() : next()
  })
  for (const route of routesOf(wiring)) {
    app.on(route.method, route.path, (context) => {
      context.set('route', route.path)
      return route.run(context)
    })
  }
  app.notFound(() => problem(refusal('not_found', 'There is nothing at this address, or not for this method. See /docs.')))
  app.onError((error, context) => {
    logFailure(context, error)
    return problem(refusal('internal', `Something went wrong. Our logs have it under ${context.get('requestId')}.`))
  })
  return app
}
