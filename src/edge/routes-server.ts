/** What the server says about itself. */
import { ModelListSchema } from '../protocol/model.ts'
import { HealthSchema, json } from './answer-schemas.ts'
import { NoQuery } from './query.ts'
import { openRoute, route, type Route } from './route.ts'
import type { Wiring } from './wiring.ts'

function models(wiring: Wiring): Route {
  return route({
    method: 'get',
    path: '/v1/models',
    verb: 'agents',
    summary: 'List models, and the state of each provider',
    query: NoQuery,
    body: null,
    answers: { 200: json('What the configured providers offer.', ModelListSchema) },
    handle: async ({ env, keepAlive }) => Response.json(await wiring.models(env, keepAlive)),
  })
}

const health = openRoute({
  path: '/healthz',
  summary: 'Whether the server answers',
  answers: { 200: json('It does.', HealthSchema) },
  run: async () => Response.json({ status: 'ok' }),
})

/** Whoever opens the printed address in a browser finds a page. */
const root = openRoute({
  path: '/',
  summary: 'Where to begin',
  answers: { 302: { description: 'The documentation.' } },
  run: async () => new Response(null, { status: 302, headers: { location: '/docs' } }),
})

/** Made when first asked for, since most isolates never are, and then kept as text: it is the same until the next deploy. */
function kept(make: () => Promise<Response>): () => Promise<Response> {
  let made: { text: string; headers: [string, string][] } | null = null
  return async () => {
    if (made === null) {
      const response = await make()
      made = { text: await response.text(), headers: [...response.headers] }
    }
    return new Response(made.text, { headers: made.headers })
  }
}

function openApi(allRoutes: () => Route[]): Route {
  return openRoute({
    path: '/openapi.json',
    summary: 'This API as an OpenAPI document',
    answers: { 200: { description: 'OpenAPI 3.1.' } },
    run: kept(async () => {
      const { openApiDocument } = await import('./openapi.ts')
      return Response.json(openApiDocument(allRoutes()))
    }),
  })
}

function docs(allRoutes: () => Route[]): Route {
  return openRoute({
    path: '/docs',
    summary: 'This API as a page for people',
    answers: { 200: { description: 'A page that needs no script and no network.', mediaType: 'text/html' } },
    run: kept(async () => {
      const [{ openApiDocument }, { docsPage }] = await Promise.all([import('./openapi.ts'), import('./docs-page.ts')])
      return docsPage(openApiDocument(allRoutes()))
    }),
  })
}

export function serverRoutes(wiring: Wiring, allRoutes: () => Route[]): Route[] {
  return [models(wiring), root, health, openApi(allRoutes), docs(allRoutes)]
}
