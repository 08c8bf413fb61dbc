/** All routes. Nothing is reachable that does not stand here, and everything here names the verb it needs. */
import type { Route } from './route.ts'
import { keyRoutes } from './routes-keys.ts'
import { readingRoutes } from './routes-reading.ts'
import { serverRoutes, type Wiring } from './routes-server.ts'
import { sessionRoutes } from './routes-sessions.ts'
import { socketRoutes } from './routes-socket.ts'
import { turnRoutes } from './routes-turns.ts'

export function routesOf(wiring: Wiring): Route[] {
  const routes: Route[] = [
    ...sessionRoutes,
    ...turnRoutes,
    ...readingRoutes,
    ...socketRoutes,
    ...keyRoutes,
    ...serverRoutes(wiring, () => routes),
  ]
  return routes
}
