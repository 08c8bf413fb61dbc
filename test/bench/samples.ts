/** What is said about a series of measurements. Percentiles are nearest-rank: each is a value that was measured. */
export interface Summary {
  count: number
  min: number
  p50: number
  p95: number
  p99: number
  max: number
  mean: number
}

export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('Nothing was measured')
  const sorted = samples.toSorted((a, b) => a - b)
  const mean = sorted.reduce((sum, sample) => sum + sample, 0) / sorted.length
  return {
    count: sorted.length,
    min: percentile(sorted, 0),
    p50: percentile(sorted, 50),
    p95: percentile(sorted, 95),
    p99: percentile(sorted, 99),
    max: percentile(sorted, 100),
    mean,
  }
}

function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}
