/** What the server says about itself. */
import { AgentPageSchema, HealthSchema, json, ModelPageSchema } from './answer-schemas.ts'
import { NoQuery } from './query.ts'
import { openRoute, route, type Route } from './route.ts'

/** An agent, as a client may choose it. */
export interface AgentSummary {
  name: string
  description: string
  /** Tokens of context it can take. */
  window: number
  /** Answers sessions that name no agent. */
  default: boolean
}

/** What the edge cannot know by itself: the worker puts it in. */
export interface Wiring {
  agents: () => AgentSummary[]
}

const models = route({
  method: 'get',
  path: '/v1/models',
  verb: 'agents',
  summary: 'List models, and the state of each provider',
  query: NoQuery,
  body: null,
  answers: { 200: json('Models by provider.', ModelPageSchema) },
  handle: async () => Response.json({ items: [], providers: [] }),
})

function agents(wiring: Wiring): Route {
  return route({
    method: 'get',
    path: '/v1/agents',
    verb: 'agents',
    summary: 'List the agents that can answer',
    query: NoQuery,
    body: null,
    answers: { 200: json('All of them.', AgentPageSchema) },
    handle: async () => Response.json({ items: wiring.agents(), next: null }),
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

/** The document is made when first asked for: most isolates never are, and start the faster. */
function openApi(allRoutes: () => Route[]): Route {
  return openRoute({
    path: '/openapi.json',
    summary: 'This API as an OpenAPI document',
    answers: { 200: { description: 'OpenAPI 3.1.' } },
    async run() {
      const { openApiDocument } = await import('./openapi.ts')
      return Response.json(openApiDocument(allRoutes()))
    },
  })
}

function docs(allRoutes: () => Route[]): Route {
  return openRoute({
    path: '/docs',
    summary: 'This API as a page for people',
    answers: { 200: { description: 'A page that needs no script and no network.', mediaType: 'text/html' } },
    async run() {
      const [{ openApiDocument }, { docsPage }] = await Promise.all([import('./openapi.ts'), import('./docs-page.ts')])
      return docsPage(openApiDocument(allRoutes()))
    },
  })
}

export function serverRoutes(wiring: Wiring, allRoutes: () => Route[]): Route[] {
  return [agents(wiring), models, root, health, openApi(allRoutes), docs(allRoutes)]
}
