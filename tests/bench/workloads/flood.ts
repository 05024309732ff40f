import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/**
 * One job, and producers that each send their next event as soon as the last is acknowledged: the most that watchers see a second, all
 * together. W3.
 *
 * @param options `watchers`, `publishers`, `seconds` of measure, `warmUp` before it
 */
export async function flood(target: Target, options: Options): Promise<Figures> {
  const { watchers: count = 1, publishers: connections = 1, seconds = 1, warmUp = 1 } = options
  const publishers = await Publishers.open(target, connections)
  const job = await LoadJob.create(target, publishers, 'bench')
  const watchers = new Watchers(target)
  await watchers.open([job], count)

  const run = async (duration: number) => {
    const ends = performance.now() + duration * 1_000
    const produce = async () => {
      while (performance.now() < ends) await job.publish()
    }
    await Promise.all(Array.from({ length: connections }, produce))
    await watchers.settle()
  }
  await run(warmUp)
  watchers.latencies.clear()
  const before = { at: performance.now(), cpu: cpuSeconds(target.pid), events: watchers.events }
  const messages = watchers.messages
  await run(seconds)
  const events = watchers.events - before.events
  return {
    rate: events / ((performance.now() - before.at) / 1_000),
    cpu: ((cpuSeconds(target.pid) - before.cpu) / events) * 1e6,
    p50: watchers.latencies.quantile(0.5),
    p99: watchers.latencies.quantile(0.99),
    eventsAMessage: events / (watchers.messages - messages),
    lost: watchers.lost,
    duplicated: watchers.duplicated,
    late: watchers.late,
  }
}
