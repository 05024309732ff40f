import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'

/** Between two events: longer than any frame. Milliseconds. */
const QUIET_MS = 40

/**
 * One job, one event at a time, a watcher on the node that it is published to and one on another: how long until each sees it. R.
 *
 * @param options `events`
 */
export async function acrossNodes(target: Target, { events = 1 }: Options): Promise<Figures> {
  const publishers = await Publishers.open(target, 1)
  const job = await LoadJob.create(target, publishers, 'bench')
  const [same, other] = [new Watchers(target), new Watchers({ ...target, ...target.others?.[0] })]
  for (const watchers of [same, other]) await watchers.open([job], 1)
  for (let event = -20; event < events; event++) {
    // What is loaded and compiled at first is not what it is like.
    if (event === 0) for (const { latencies } of [same, other]) latencies.clear()
    await job.publish()
    await Bun.sleep(QUIET_MS)
  }
  for (const watchers of [same, other]) await watchers.settle()
  const [near, far] = [same.latencies, other.latencies]
  return {
    near50: near.quantile(0.5),
    near99: near.quantile(0.99),
    far50: far.quantile(0.5),
    far99: far.quantile(0.99),
    further50: Math.max(0, far.quantile(0.5) - near.quantile(0.5)),
    lost: same.lost + other.lost,
  }
}
