import { LoadJob } from '../load/job.ts'
import { Latencies } from '../load/latencies.ts'
import { pace } from '../load/pace.ts'
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import type { Figures, Options, Target } from '../target.ts'
import { Producers } from './publishes.ts'

/** Requests a second of those who ask, and their connections: as many as they need while a server is silent for a second. */
const ASKED_PER_SECOND = 200
const ASKING = 200

/**
 * Producers as in W5. Others ask meanwhile, at a steady pace whether they are answered or not, who have nothing to do with what is written:
 * how long they wait. Then the producers alone: what they cost. D.
 *
 * @param options `publishers`, `askSeconds` with the others, `seconds` of them alone, `warmUp` before
 */
export async function slowDisk(target: Target, options: Options): Promise<Figures> {
  const { publishers = 1, seconds = 1, askSeconds = 1, warmUp = 1 } = options
  const producers = await Producers.open(target, publishers)
  const others = await Publishers.open(target, ASKING)
  const { id } = await LoadJob.create(target, others, 'bench-quiet')
  const asked = { healthz: new Latencies(), read: new Latencies() }
  const ask = async (latencies: Latencies, path: string, duration: number) => {
    const request = requestBytes(target, 'GET', path)
    await pace({ perSecond: ASKED_PER_SECOND, burst: 1, seconds: duration }, async () => {
      const sentAt = performance.now()
      await others.send(request)
      latencies.add(performance.now() - sentAt)
    })
  }
  const askAll = (duration: number) =>
    Promise.all([ask(asked.healthz, '/healthz', duration), ask(asked.read, `/api/jobs/${id}`, duration)])

  await Promise.all([producers.run(warmUp), askAll(warmUp)])
  for (const latencies of Object.values(asked)) latencies.clear()
  await Promise.all([producers.run(askSeconds), askAll(askSeconds)])
  const { rate, cpu } = await producers.run(seconds)
  return {
    rate,
    cpu,
    healthz99: asked.healthz.quantile(0.99),
    healthzMost: asked.healthz.quantile(1),
    read99: asked.read.quantile(0.99),
  }
}
