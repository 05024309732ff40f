import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds } from '../usage.ts'
import { Producers } from './publishes.ts'

/**
 * Producers as in {@link Producers}, spread over the nodes of one Redis, or on a node without. Re, Reb.
 *
 * @param options `publishers` in all, `batch` events of each request, `seconds` of measure, `warmUp` before it
 */
export async function nodePublishes(target: Target, options: Options): Promise<Figures> {
  const { publishers = 1, batch = 1, seconds = 1, warmUp = 1 } = options
  const nodes = [target, ...(target.others ?? []).map((other) => ({ ...target, ...other }))]
  const producers = await Promise.all(
    nodes.map((node, index) => Producers.open(node, Math.ceil(publishers / nodes.length), batch, `node-${index}`)),
  )
  const run = (duration: number) => Promise.all(producers.map((some) => some.run(duration)))
  await run(warmUp)
  const redisSeconds = () => (target.redis ? cpuSeconds(target.redis.pid) : 0)
  const before = redisSeconds()
  const figures = await run(seconds)
  const redis = (redisSeconds() - before) * 1e6
  const rate = figures.reduce((sum, { rate: its }) => sum + its, 0)
  return {
    rate,
    cpu: figures.reduce((sum, { rate: its, cpu }) => sum + (its * cpu) / rate, 0),
    redisCpu: redis / (rate * seconds),
  }
}
