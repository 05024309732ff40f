import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { progressEvent, requestBytes } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/**
 * Producers with a job and a connection each, nobody watching, who send the next batch as soon as the last is acknowledged. W5, W5b, S2b.
 *
 * @param options `publishers`, `batch` events of each request, `seconds` of measure, `warmUp` before it
 */
export async function publishes(target: Target, options: Options): Promise<Figures> {
  const { publishers: connections = 1, batch = 1, seconds = 1, warmUp = 1 } = options
  const publishers = await Publishers.open(target, connections)
  const requests = await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const { id } = await LoadJob.create(target, publishers, `bench-${index}`)
      const events = Array.from({ length: batch }, (_, number) => progressEvent(number))
      const json = batch === 1 ? progressEvent(1) : `[${events.join(',')}]`
      return requestBytes(target, 'POST', target.publishPath.replace('{job}', id), json)
    }),
  )
  let acknowledged = 0
  const run = async (duration: number) => {
    const ends = performance.now() + duration * 1_000
    const produce = async (request: Uint8Array) => {
      while (performance.now() < ends) {
        await publishers.send(request)
        acknowledged += batch
      }
    }
    await Promise.all(requests.map(produce))
  }
  await run(warmUp)
  acknowledged = 0
  const before = { cpu: cpuSeconds(target.pid), at: performance.now() }
  await run(seconds)
  const cpu = (cpuSeconds(target.pid) - before.cpu) * 1e6
  return {
    rate: acknowledged / ((performance.now() - before.at) / 1_000),
    cpu: cpu / acknowledged,
    cpuRequest: (cpu / acknowledged) * batch,
  }
}
