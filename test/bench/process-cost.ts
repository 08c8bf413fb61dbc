/** What processes have used, as Linux tells it in /proc. On other systems it is not a number, and its figures are left out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Linux reports CPU time in ticks of USER_HZ, which is 100 on every architecture that Node runs on. */
const MS_PER_TICK = 10
const NS_PER_MS = 1_000_000
const BYTES_PER_MIB = 1024 * 1024
const isKnown = existsSync('/proc/self/stat')

/** CPU time of all these processes together, user and system. */
export function cpuMsOf(pids: readonly number[]): number {
  return isKnown ? pids.reduce((sum, pid) => sum + cpuMs(pid), 0) : Number.NaN
}

/** CPU time of a process so far, to the nanosecond where the system tells it so; threads that have ended are not in it. */
export function threadCpuMsOf(pid: number): number {
  if (!isKnown) return Number.NaN
  const ofThread = (thread: string) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + ofThread(thread), 0) / NS_PER_MS
}

/** Memory of these processes that is in RAM. */
export function residentMibOf(pids: readonly number[]): number {
  return isKnown ? pids.reduce((sum, pid) => sum + residentBytes(pid), 0) / BYTES_PER_MIB : Number.NaN
}

/** CPU time of this process, the client's side of a measurement. */
export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function cpuMs(pid: number): number {
  // The second field is the command in parentheses and may hold spaces; user and system time are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
}

function residentBytes(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1024
}
