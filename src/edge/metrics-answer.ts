/** Metrics: what tenants have used since the beginning, from the days that the index keeps. */
import type { SessionUsage } from '../protocol/session.ts'
import { noTurnUsage } from '../protocol/turn.ts'
import { readAllUsage, readUsage } from '../session-index/usage-store.ts'
import { metricsText, METRICS_TYPE } from './metrics-text.ts'

/** Tenants that an operator's scrape shows; a row is read for each of their days. */
const METRICS_TENANTS = 200

const nothingUsed: SessionUsage = { turns: 0, ...noTurnUsage }

async function tenantMetrics(env: Env, tenant: string): Promise<string> {
  return metricsText([(await readUsage(env.INDEX, tenant)) ?? { tenant, usage: nothingUsed }], null)
}

async function allMetrics(env: Env): Promise<string> {
  const tenants = await readAllUsage(env.INDEX, METRICS_TENANTS + 1)
  const shown = tenants.slice(0, METRICS_TENANTS)
  return metricsText(shown, tenants.length > shown.length ? `The first ${METRICS_TENANTS} tenants by name; there are more.` : null)
}

/** `tenant` null: all of them. */
export async function metricsAnswer(env: Env, tenant: string | null): Promise<Response> {
  const text = await (tenant === null ? allMetrics(env) : tenantMetrics(env, tenant))
  return new Response(text, { headers: { 'content-type': METRICS_TYPE } })
}
