/** The loops of `ticks.ts`, in a process of a producer. Prints what a row of each costs, in nanoseconds. */
import { createReporter } from '../../../client/producer/reporter.ts'

const [url = '', token = ''] = process.argv.slice(2)
const ROWS = 1_000_000
const RUNS = 9

const rows = Array.from({ length: ROWS }, (_, index) => index)
const reporter = createReporter({ url, token })
const job = reporter.create({ kind: 'bench', title: 'Ticks' })
job.status({ status: 'running' })
let sum = 0
const loops = {
  track() {
    for (const row of job.track(rows)) sum += row
  },
  progress() {
    for (const row of rows) {
      sum += row
      job.progress({ done: row + 1, total: ROWS })
    }
  },
}
const costs: Record<string, number[]> = {}
for (const [name, loop] of Object.entries(loops)) {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now()
    loop()
    runs.push(((performance.now() - start) * 1e6) / ROWS)
    await job.flush()
  }
  costs[name] = runs
}
// Without a use of what the loops compute a compiler may leave them out.
job.status({ status: 'completed', result: { sum } })
await reporter.close()
console.log(JSON.stringify(costs))
