import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { progressEvent, requestBytes } from '../load/requests.ts'
import { pin } from '../peers/peer.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'

/**
 * Producers with a job and a connection each, nobody watching, who send the next batch as soon as the last is acknowledged. W5, W5b, S2b.
 *
 * @param options `publishers`, `batch` events of each request, `seconds` of measure, `warmUp` before it, which is measured by itself;
 *   `cores` that the server may use, 1 or 2
 */
export async function publishes(target: Target, options: Options): Promise<Figures> {
  const { publishers = 1, batch = 1, seconds = 1, warmUp = 1, cores = 1 } = options
  if (cores > 1) pin('both', target.pid)
  const producers = await Producers.open(target, publishers, batch)
  const first = await producers.run(warmUp)
  return { ...(await producers.run(seconds)), rateFirst: first.rate, cpuFirst: first.cpu }
}

/** Producers with a job and a connection each, who send the next batch as soon as the last is acknowledged. */
export class Producers {
  readonly #target: Target
  readonly #publishers: Publishers
  /** What each sends, again and again. */
  readonly #requests: readonly Uint8Array[]
  readonly #batch: number

  private constructor(target: Target, publishers: Publishers, requests: readonly Uint8Array[], batch: number) {
    this.#target = target
    this.#publishers = publishers
    this.#requests = requests
    this.#batch = batch
  }

  /** @param batch events of each request @param name how the ids of their jobs begin */
  static async open(target: Target, count: number, batch = 1, name = 'bench'): Promise<Producers> {
    const publishers = await Publishers.open(target, count)
    const events = Array.from({ length: batch }, (_, number) => progressEvent(number))
    const json = batch === 1 ? progressEvent(1) : `[${events.join(',')}]`
    const requests = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const { id } = await LoadJob.create(target, publishers, `${name}-${index}`)
        return requestBytes(target, 'POST', target.publishPath.replace('{job}', id), json)
      }),
    )
    return new Producers(target, publishers, requests, batch)
  }

  /** Has them send for some seconds. @returns events acknowledged a second, and CPU-µs of the server for an event and for a request */
  async run(seconds: number): Promise<{ rate: number; cpu: number; cpuRequest: number }> {
    const begun = { cpu: cpuSeconds(this.#target.pid), at: performance.now() }
    let acknowledged = 0
    const produce = async (request: Uint8Array) => {
      while (performance.now() < begun.at + seconds * 1_000) {
        await this.#publishers.send(request)
        acknowledged += this.#batch
      }
    }
    await Promise.all(this.#requests.map(produce))
    const cpu = (cpuSeconds(this.#target.pid) - begun.cpu) * 1e6
    return {
      rate: acknowledged / ((performance.now() - begun.at) / 1_000),
      cpu: cpu / acknowledged,
      cpuRequest: (cpu / acknowledged) * this.#batch,
    }
  }
}
