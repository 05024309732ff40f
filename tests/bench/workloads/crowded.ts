import { LoadJob } from '../load/job.ts'
import { Latencies } from '../load/latencies.ts'
import { pace } from '../load/pace.ts'
import { Publishers } from '../load/publishers.ts'
import { progressEvent, requestBytes } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'

/** Events a second of the quiet principal, and its connections: as many as it needs while a server is silent for two seconds. */
const QUIET_PER_SECOND = 50
const QUIET = 100

/** A log line that makes a body of 1 MiB with 120 others: its message is as long as one may be. */
const LINE = JSON.stringify({ type: 'log', message: 'x'.repeat(8 * 1_024) })

/**
 * A principal that sends an event now and then, at a steady pace whether it is answered or not, alone and beside another that floods the
 * server: with batches, with bodies of 1 MiB, with creations. How long the first waits for its acknowledgements. F.
 *
 * @param options `publishers` connections of the flood, `seconds` of measure for each, `warmUp` before each
 */
export async function crowded(target: Target, options: Options): Promise<Figures> {
  const { publishers = 1, seconds = 1, warmUp = 1 } = options
  const quiet = await Publishers.open(target, QUIET)
  const job = await LoadJob.create(target, quiet, 'bench-quiet')
  const latencies = new Latencies()
  const listen = (duration: number) =>
    pace({ perSecond: QUIET_PER_SECOND, burst: 1, seconds: duration }, async () => {
      const sentAt = performance.now()
      await job.publish()
      latencies.add(performance.now() - sentAt)
    })

  const figures: Figures = {}
  const measure = async (name: string) => {
    await listen(warmUp)
    latencies.clear()
    await listen(seconds)
    for (const percent of [50, 99]) figures[`${name}${percent}`] = latencies.quantile(percent / 100)
  }
  await measure('alone')
  for (const [name, flood] of Object.entries(
    await floodsOf({ ...target, token: target.otherToken ?? '' }, publishers),
  )) {
    const stop = flood()
    await measure(name)
    figures[`${name}Rate`] = await stop()
  }
  return figures
}

/** Each begins a flood when it is called, and answers what ends it: that answers the requests acknowledged a second. */
async function floodsOf(target: Target, count: number): Promise<Record<string, () => () => Promise<number>>> {
  const connections = await Publishers.open(target, count)
  const jobs = await Promise.all(
    Array.from({ length: count }, (_, index) => LoadJob.create(target, connections, `bench-flood-${index}`)),
  )
  const publish = (json: string) => (index: number) =>
    requestBytes(target, 'POST', target.publishPath.replace('{job}', jobs[index]?.id ?? ''), json)
  const array = (length: number, element: (index: number) => string) =>
    `[${Array.from({ length }, (_, index) => element(index)).join(',')}]`
  const create = requestBytes(target, 'POST', '/api/jobs', JSON.stringify({ kind: 'bench', title: 'Bench' }))
  const requests = {
    batches: publish(array(1_000, (done) => progressEvent(done))),
    items: publish(array(1_000, (id) => JSON.stringify({ type: 'item', id: `item-${id}`, status: 'running' }))),
    bodies: publish(array(120, () => LINE)),
    creates: () => create,
  }
  const flood = (requestOf: (index: number) => Buffer) => () => {
    const begun = performance.now()
    let isOver = false
    let acknowledged = 0
    const send = async (index: number) => {
      const request = requestOf(index)
      // Who is refused tries again at once, as who floods would.
      while (!isOver) {
        const isTaken = await connections.send(request).then(
          () => true,
          () => false,
        )
        if (isTaken) acknowledged += 1
      }
    }
    const all = Promise.all(jobs.map((_, index) => send(index)))
    return async () => {
      isOver = true
      await all
      return acknowledged / ((performance.now() - begun) / 1_000)
    }
  }
  return Object.fromEntries(Object.entries(requests).map(([name, requestOf]) => [name, flood(requestOf)]))
}
