import { LoadJob } from '../load/job.ts'
import { Latencies } from '../load/latencies.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'

/** Between two events: longer than any frame, so that each is the first after quiet. Milliseconds. */
const QUIET_MS = 40

/**
 * One job, one watcher, one event at a time on a server that has nothing else to do: how long until it is acknowledged, and until it is
 * seen.
 *
 * @param options `events`
 */
export async function quiet(target: Target, { events = 1 }: Options): Promise<Figures> {
  const publishers = await Publishers.open(target, 1)
  const job = await LoadJob.create(target, publishers, 'bench')
  const watchers = new Watchers(target)
  await watchers.open([job], 1)
  const acknowledged = new Latencies()
  for (let event = -20; event < events; event++) {
    // What is loaded and compiled at first is not what it is like.
    if (event === 0) {
      acknowledged.clear()
      watchers.latencies.clear()
    }
    const begun = performance.now()
    await job.publish()
    acknowledged.add(performance.now() - begun)
    await Bun.sleep(QUIET_MS)
  }
  await watchers.settle()
  return {
    acknowledged50: acknowledged.quantile(0.5),
    acknowledged99: acknowledged.quantile(0.99),
    p50: watchers.latencies.quantile(0.5),
    p99: watchers.latencies.quantile(0.99),
    lost: watchers.lost,
    duplicated: watchers.duplicated,
  }
}
