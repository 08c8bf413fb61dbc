import * as v from 'valibot'
import { defineTool } from './define-tool.ts'
import { ToolError } from './tool.ts'

export const currentTime = defineTool({
  name: 'current_time',
  description: 'Tells the current date, time and weekday, in UTC or in an IANA time zone such as Europe/Berlin.',
  input: v.strictObject({ timeZone: v.optional(v.pipe(v.string(), v.maxLength(64))) }),
  approval: 'never',
  idempotent: true,
  run: ({ timeZone = 'UTC' }, call) => ({ output: timeIn(timeZone, call.now()) }),
})

function timeIn(timeZone: string, now: number): { time: string; weekday: string; timeZone: string } {
  const parts = partsIn(timeZone, now)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((each) => each.type === type)?.value ?? ''
  // `GMT+01:00`; of UTC, some versions say `GMT` alone.
  const offset = part('timeZoneName').slice('GMT'.length) || '+00:00'
  const time = `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}:${part('second')}${offset}`
  return { time, weekday: part('weekday'), timeZone }
}

function partsIn(timeZone: string, now: number): Intl.DateTimeFormatPart[] {
  const twoDigits = { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
  const form = { year: 'numeric', ...twoDigits, hourCycle: 'h23', weekday: 'long', timeZoneName: 'longOffset' } as const
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, ...form }).formatToParts(now)
  } catch {
    throw new ToolError(`There is no time zone ${timeZone}; use an IANA name such as Europe/Berlin, or leave it out for UTC.`)
  }
}
