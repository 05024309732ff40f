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
 * watcher, and all in all; the publish included. W1, Wb, W2, S1, S2, S4.
 *
 * @param options `jobs`, `watchers` of each, `perSecond` events in all, `burst` of them at a time, `seconds` of measure, `warmUp` before it;
 *   `hotPerSecond` events of another job during the warm-up, so that what is rare has been compiled too; `firstSeconds` that are measured
 *   before all that: what a server costs that has just started
 */
export async function fanOut(target: Target, options: Options): Promise<Figures> {
  const {
    jobs: count = 1,
    watchers: perJob = 1,
    perSecond = 1,
    burst = 1,
    seconds = 1,
    warmUp = 1,
    hotPerSecond = 0,
    firstSeconds = 0,
  } = options
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
  /** @returns CPU-µs of the server in that time, and events seen */
  const cost = async (duration: number) => {
    const [cpu, events] = [cpuSeconds(target.pid), watchers.events]
    await run(duration)
    return { cpu: (cpuSeconds(target.pid) - cpu) * 1e6, events: watchers.events - events }
  }
  const first = await cost(firstSeconds)
  const hot = hotPerSecond > 0 ? await LoadJob.create(target, publishers, 'bench-hot') : undefined
  await Promise.all([
    run(warmUp),
    pace({ perSecond: hotPerSecond, burst: 1, seconds: warmUp }, async () => hot?.publish()),
  ])
  watchers.latencies.clear()
  const { messages: messagesBefore, bytes: bytesBefore } = watchers
  const before = { at: performance.now(), published: next }
  const { cpu, events } = await cost(seconds)
  const took = (performance.now() - before.at) / 1_000
  const messages = watchers.messages - messagesBefore
  const each = count * perJob * took
  return {
    cpu: cpu / events,
    ...(firstSeconds > 0 ? { cpuFirst: first.cpu / first.events } : {}),
    cpuPublished: cpu / (next - before.published),
    cpuSecond: cpu / took,
    messagesSecond: messages / each,
    bytesSecond: (watchers.bytes - bytesBefore) / each,
    p50: watchers.latencies.quantile(0.5),
    p99: watchers.latencies.quantile(0.99),
    eventsAMessage: events / messages,
    lost: watchers.lost,
    duplicated: watchers.duplicated,
    late: watchers.late,
  }
}
