/** Headers of every answer, errors too: the request's id, no caching, which origins may read it, what browsers must not do with it. */
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { EdgeEnv } from './route.ts'

const LOCAL_ORIGIN = /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/

const fixedHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** An API answer is nothing to render; the page of /docs brings its own, wider policy. */
const CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"

export const commonHeaders: MiddlewareHandler<EdgeEnv> = async (context, next) => {
  await next()
  // An upgrade's answer has no body to protect, and is the session's own.
  if (context.res.status === 101) return
  const { headers } = context.res
  for (const [name, value] of Object.entries(fixedHeaders)) headers.set(name, value)
  headers.set('dormouse-request-id', context.get('requestId'))
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', CONTENT_POLICY)
}

/** Configured origins, separated by commas; `*` for any; without configuration only pages of the same machine. */
function allowedOrigin(origin: string, configured: string): string | null {
  const origins = configured
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  if (origins.length === 0) return LOCAL_ORIGIN.test(origin) ? origin : null
  return origins.includes(origin) || origins.includes('*') ? origin : null
}

export const crossOrigin: MiddlewareHandler<EdgeEnv> = cors({
  origin: (origin, context) => allowedOrigin(origin, context.env.DORMOUSE_CORS_ORIGINS),
  allowMethods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
  allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match', 'Last-Event-ID'],
  exposeHeaders: ['Dormouse-Head', 'Dormouse-Request-Id', 'ETag', 'Idempotent-Replayed', 'Location', 'Retry-After'],
  maxAge: 7200,
})
