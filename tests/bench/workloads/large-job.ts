import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/** Items that one request creates: as many events as a batch may have. */
const BATCH = 1_000
/** Reads of what changed, of each size. */
const READS = 500

/**
 * What one more event costs in a job with many items, beside one with a single item; and what it costs to be told of the last k changes
 * of it. Milepost alone. W8.
 *
 * @param options `items`, `events` that are measured
 */
export async function largeJob(target: Target, { items = 1, events = 1 }: Options): Promise<Figures> {
  const publishers = await Publishers.open(target, 1)
  const large = await LoadJob.create(target, publishers, 'large')
  const small = await LoadJob.create(target, publishers, 'small')
  const item = (number: number, status: string) => `{"type":"item","id":"item-${number}","status":"${status}"}`
  const create = (first: number, count: number) =>
    `[${Array.from({ length: count }, (_, number) => item(first + number, 'pending')).join(',')}]`

  await small.send(create(0, 1))
  for (let first = 0; first < items; first += BATCH) await large.send(create(first, Math.min(BATCH, items - first)))

  /** CPU of one event, on average: microseconds. */
  const measure = async (job: LoadJob, count: number) => {
    const before = cpuSeconds(target.pid)
    for (let event = 0; event < count; event++) {
      // A stride that has no factor in common with the number of items: each is met once, in no order.
      await job.send(item(job === large ? (event * 7_919) % items : 0, event % 2 ? 'running' : 'pending'))
    }
    return ((cpuSeconds(target.pid) - before) / count) * 1e6
  }
  const costs = { small: 0, large: 0 }
  await measure(small, events / 4)
  await measure(large, events / 4)
  // In turns, so that both meet the same weather.
  for (let turn = 0; turn < 4; turn++) {
    costs.small += (await measure(small, events / 4)) / 4
    costs.large += (await measure(large, events / 4)) / 4
  }
  const figures: Figures = { ratio: costs.large / costs.small, cpuLarge: costs.large, cpuSmall: costs.small }

  const read = (query: string) => publishers.send(requestBytes(target, 'GET', `/api/jobs/${large.id}${query}`))
  const { epoch, version } = JSON.parse(await read('?parts=header'))
  for (const k of [0, 1, 10, 100, 1_000]) {
    const query = `?since=${epoch}-${version - k}`
    await read(query)
    const before = cpuSeconds(target.pid)
    for (let reads = 0; reads < READS; reads++) await read(query)
    figures[`resume${k}`] = ((cpuSeconds(target.pid) - before) / READS) * 1e6
  }
  return figures
}
