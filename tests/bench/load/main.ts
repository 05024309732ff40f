/** The load generator: a process of its own, told on its command line what to do; prints what it found as JSON. */
import type { Options, Target } from '../target.ts'
import { type WorkloadName, workloads } from '../workloads/index.ts'

const { workload, target, options } = JSON.parse(process.argv[2] ?? '') as {
  workload: WorkloadName
  target: Target
  options: Options
}
console.log(JSON.stringify(await workloads[workload](target, options)))
process.exit()
