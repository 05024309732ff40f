import { LoadJob } from '../load/job.ts'
import { pace } from '../load/pace.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/** Connections of the producers. */
const PUBLISHERS = 16

/**
 * Jobs with watchers each, and events at a steady pace, spread evenly over the jobs: what an event costs the server that is seen by one
 * watcher, the publish included. W1, Wb, W2.
 *
 * @param options `jobs`, `watchers` of each, `perSecond` events in all, `burst` of them at a time, `seconds` of measure, `warmUp` before it
 */
export async function fanOut(target: Target, options: Options): Promise<Figures> {
  const { jobs: count = 1, watchers: perJob = 1, perSecond = 1, burst = 1, seconds = 1, warmUp = 1 } = options
  const publishers = await Publishers.open(target, PUBLISHERS)
  const jobs = await Promise.all(
    Array.from({ length: count }, (_, index) => LoadJob.create(target, publishers, `bench-${index}`)),
  )
  const watchers = new Watchers(target)
  await watchers.open(jobs, perJob)

  let next = 0
  const run = async (duration: number) => {
    await pace({ perSecond, burst, seconds: duration }, async () => jobs[next++ % count]?.publish())
    await watchers.settle()
  }
  await run(warmUp)
  watchers.latencies.clear()
  const before = { cpu: cpuSeconds(target.pid), events: watchers.events, messages: watchers.messages }
  await run(seconds)
  const events = watchers.events - before.events
  return {
    cpu: ((cpuSeconds(target.pid) - before.cpu) / events) * 1e6,
    p50: watchers.latencies.quantile(0.5),
    p99: watchers.latencies.quantile(0.99),
    eventsAMessage: events / (watchers.messages - before.messages),
    lost: watchers.lost,
    duplicated: watchers.duplicated,
    late: watchers.late,
  }
}
