import { LoadJob } from '../load/job.ts'
import { pace } from '../load/pace.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds, residentKib } from '../usage.ts'

/** Jobs that are watched before the measure. */
const FIRST = 100

/**
 * Jobs with a watcher each on one node, published to on another: what each takes there, its watcher included, and what it costs
 * while nothing happens and for an event. Rj.
 *
 * @param options `jobs`, `perSecond` events in all, `restSeconds` without any, `seconds` of measure, `warmUp` before it
 */
export async function watchedElsewhere(target: Target, options: Options): Promise<Figures> {
  const { jobs: count = 1, perSecond = 1, restSeconds = 1, seconds = 1, warmUp = 1 } = options
  const node = { ...target, ...target.others?.[0] }
  const publishers = await Publishers.open(target, 16)
  const create = (index: number) => LoadJob.create(target, publishers, `bench-${index}`)
  const jobs = await Promise.all(Array.from({ length: count }, (_, index) => create(index)))
  const watchers = new Watchers(node)
  // What is loaded once, by whoever comes first, is no cost of a job.
  await watchers.open(jobs.slice(0, FIRST), 1)
  await Bun.sleep(restSeconds * 1_000)
  const before = { node: residentKib(node.pid), redis: residentKib(target.redis?.pid ?? 0) }
  await watchers.open(jobs.slice(FIRST), 1)
  await Bun.sleep(restSeconds * 1_000)
  const opened = count - FIRST
  const kib = (residentKib(node.pid) - before.node) / opened
  const redisKib = (residentKib(target.redis?.pid ?? 0) - before.redis) / opened

  let next = 0
  const run = (duration: number) =>
    pace({ perSecond, burst: 1, seconds: duration }, async () => jobs[next++ % count]?.publish())
  await run(warmUp)
  await watchers.settle()
  const rest = cpuSeconds(node.pid)
  await Bun.sleep(restSeconds * 1_000)
  const idle = ((cpuSeconds(node.pid) - rest) * 1e6) / restSeconds / count
  const [cpu, published] = [cpuSeconds(node.pid), next]
  await run(seconds)
  await watchers.settle()
  const events = next - published
  return {
    kib,
    redisKib,
    idle,
    cpu: ((cpuSeconds(node.pid) - cpu) * 1e6) / events,
    lost: watchers.lost,
  }
}
