/** One measured figure, and the bar it is held against, if there is one. */
import type { Summary } from './samples.ts'

export interface Bar {
  /** As people read it: `≤ 1.1`. */
  text: string
  met: boolean
}

export interface Figure {
  name: string
  value: number
  unit: string
  bar: Bar | null
  /** What a reader must know to read the value right. */
  note?: string
  /** The measurements behind the value, where there were several. */
  samples?: Summary
}

export function atMost(limit: number, value: number): Bar {
  return { text: `≤ ${limit}`, met: value <= limit }
}

export function atLeast(limit: number, value: number): Bar {
  return { text: `≥ ${limit}`, met: value >= limit }
}
