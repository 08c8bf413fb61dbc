/**
 * `npm run simulate -- --seed N --schedules M`: runs M schedules from seed N on. The first that breaks a rule is told with
 * its seed and its last actions, and repeats exactly with `--seed S --schedules 1`. Exit code 1 if there was one.
 */
import { parseArgs } from 'node:util'
import { runSchedule, type ScheduleReport } from './schedule.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    schedules: { type: 'string', default: '1000' },
    actions: { type: 'string', default: '60' },
  },
})
const firstSeed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed)
const schedules = Number(values.schedules)
const running = { seed: firstSeed }

/** The last actions are what one reads first; the whole story is in `--actions 100000`. */
function tellFailure({ seed, violation, lines }: ScheduleReport): void {
  console.log(lines.slice(-Number(values.actions)).join('\n'))
  console.log(`\n${violation?.message}`)
  console.log(`\nseed ${seed}   (repeat: npm run simulate -- --seed ${seed} --schedules 1)`)
}

async function run(): Promise<boolean> {
  const startedAt = performance.now()
  const sum = { tasks: 0, events: 0, restarts: 0 }
  console.log(`${schedules} schedules from seed ${firstSeed}`)
  for (let i = 0; i < schedules; i++) {
    running.seed = firstSeed + i
    const report = await runSchedule(running.seed)
    sum.tasks += report.tasks
    sum.events += report.events
    sum.restarts += report.restarts
    const isLast = i === schedules - 1
    if (report.violation) {
      tellFailure(report)
      return false
    }
    if ((i + 1) % 1000 === 0 || isLast) {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      console.log(`${i + 1} schedules in ${seconds} s: ${sum.tasks} tasks, ${sum.events} events, ${sum.restarts} restarts`)
    }
  }
  return true
}

// A promise that nobody awaits and that rejects is a bug too, and Node would end without a word about the seed.
process.on('unhandledRejection', (error) => {
  console.log(error, `\nunhandled in seed ${running.seed}`)
  process.exit(1)
})
process.exitCode = (await run()) ? 0 : 1
