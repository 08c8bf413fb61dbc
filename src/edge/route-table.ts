/** All routes. Nothing is reachable that does not stand here, and everything here names the verb it needs. */
import type { Route } from './route.ts'
import { agentRoutes } from './routes-agents.ts'
import { approvalRoutes } from './routes-approvals.ts'
import { keyRoutes } from './routes-keys.ts'
import { metricsRoutes } from './routes-metrics.ts'
import { outputRoutes } from './routes-outputs.ts'
import { readingRoutes } from './routes-reading.ts'
import { serverRoutes } from './routes-server.ts'
import { sessionRoutes } from './routes-sessions.ts'
import { socketRoutes } from './routes-socket.ts'
import { turnRoutes } from './routes-turns.ts'
import type { Wiring } from './wiring.ts'

export function routesOf(wiring: Wiring): Route[] {
  const routes: Route[] = [
    ...sessionRoutes,
    ...turnRoutes,
    ...approvalRoutes,
    ...readingRoutes,
    ...outputRoutes,
    ...socketRoutes,
    ...keyRoutes,
    ...agentRoutes(wiring),
    ...metricsRoutes,
    ...serverRoutes(wiring, () => routes),
  ]
  return routes
}
