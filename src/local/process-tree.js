// The processes below a process. Wrangler starts two workerd processes and a bundler, which outlive it when it is killed,
// so their ids are noted while their parent still stands. /proc where there is one (slim containers have no `ps`).
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Every descendant of `pid`, with its command line; the nearest first. */
export function descendantsOf(pid) {
  const all = processes()
  const found = []
  let parents = [pid]
  while (parents.length > 0) {
    const children = all.filter((each) => parents.includes(each.parent))
    found.push(...children)
    parents = children.map((each) => each.pid)
  }
  return found
}

/** Kills those that still run. An id may have passed to a stranger since it was noted: the command line must be the same. */
export function killRemaining(noted) {
  const now = new Map(processes().map((each) => [each.pid, each.command]))
  for (const { pid, command } of noted) {
    if (now.get(pid) === command) kill(pid)
  }
}

/** Empty when no such process runs. */
export function commandOf(pid) {
  return processes().find((each) => each.pid === pid)?.command ?? ''
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended by itself meanwhile
  }
}

function processes() {
  return existsSync('/proc/self/stat') ? fromProc() : fromPs()
}

function fromProc() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The second field is the command in parentheses and may itself hold spaces and parentheses.
        const afterCommand = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)
        return [{ pid: Number(name), parent: Number(afterCommand.split(' ')[1]), command: readFileSync(`/proc/${name}/cmdline`, 'utf8') }]
      } catch {
        return [] // ended while we looked
      }
    })
}

function fromPs() {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,command='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)
    return match ? [{ pid: Number(match[1]), parent: Number(match[2]), command: match[3] }] : []
  })
}
