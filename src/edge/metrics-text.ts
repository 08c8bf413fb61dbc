/** Metrics as Prometheus reads them: text exposition format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */
import type { SessionUsage } from '../protocol/session.ts'
import type { TenantUsage } from '../session-index/usage-store.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface Metric {
  name: string
  help: string
  valueOf: (usage: SessionUsage) => number
}

const metrics: Metric[] = [
  { name: 'turns_total', help: 'Turns that were started.', valueOf: (usage) => usage.turns },
  { name: 'input_tokens_total', help: 'Tokens that models were given.', valueOf: (usage) => usage.inputTokens },
  { name: 'output_tokens_total', help: 'Tokens that models answered.', valueOf: (usage) => usage.outputTokens },
  { name: 'cached_tokens_total', help: 'Of the input: tokens read from a cache.', valueOf: (usage) => usage.cachedTokens },
  { name: 'reasoning_tokens_total', help: 'Of the output: tokens of reasoning.', valueOf: (usage) => usage.reasoningTokens },
  { name: 'active_seconds_total', help: 'Time that agents ran, of turns that ended.', valueOf: (usage) => usage.activeMs / 1000 },
  {
    name: 'storage_rows_read_total',
    help: "Rows read in sessions' own storage, of turns that ended.",
    valueOf: ({ storage }) => storage.rowsRead,
  },
  {
    name: 'storage_rows_written_total',
    help: "Rows written in sessions' own storage, of turns that ended.",
    valueOf: ({ storage }) => storage.rowsWritten,
  },
]

/** `remark`: a line for people. Tenants' names hold nothing that would need escaping. */
export function metricsText(tenants: TenantUsage[], remark: string | null): string {
  const families = metrics.map(({ name, help, valueOf }) => {
    const samples = tenants.map(({ tenant, usage }) => `dormouse_${name}{tenant="${tenant}"} ${valueOf(usage)}`)
    return [`# HELP dormouse_${name} ${help}`, `# TYPE dormouse_${name} counter`, ...samples].join('\n')
  })
  return [...(remark === null ? [] : [`# ${remark}`]), ...families, ''].join('\n')
}
