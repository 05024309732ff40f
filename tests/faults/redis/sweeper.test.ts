import { expect, test } from 'bun:test'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { StoreOutage } from '../../../server/jobs/background/store-outage.ts'
import { Sweeper } from '../../../server/jobs/background/sweeper.ts'
import type { DueTerms } from '../../../server/jobs/engine.ts'
import { TrustedClock } from '../../../server/jobs/trusted-clock.ts'
import { type Clock, systemClock } from '../../../shared/time/clock.ts'
import { batchOf, created, taken, WakeLog } from '../../conformance/fixtures.ts'
import { RedisServer } from '../../support/redis-server.ts'

/** The key of the node that sweeps. */
const LEASE = 'mp:{all}:sweeper'
/** How often each node sweeps: milliseconds. */
const SWEEP_MS = 5_000

async function threeNodes(redis: RedisServer) {
  const engines = await Promise.all([0, 1, 2].map(() => RedisEngine.open(redis.setting)))
  return {
    engines,
    [Symbol.asyncDispose]: async () => void (await Promise.all(engines.map((engine) => engine.close()))),
  }
}

test('sweepers of three nodes end each due job once, and remove it once', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await threeNodes(redis)
  const { engines } = nodes
  const [first] = engines as [RedisEngine]
  let passed = 0
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + passed,
    monotonic: () => systemClock.monotonic() + passed,
  }
  const errors: unknown[] = []
  const sweepers = engines.map((engine) => {
    const onError = (error: unknown) => errors.push(error)
    return new Sweeper({
      engine,
      outage: new StoreOutage(),
      clock: new TrustedClock(clock),
      retentionSeconds: 60,
      onError,
    })
  })
  const log = new WakeLog()
  await first.watch({ all: true }, log.wake)
  const createdAt = new Date(clock.now()).toISOString()
  const jobs = await Promise.all(
    Array.from({ length: 150 }, () => created(first, { timeoutSeconds: 1, createdAt, lastEventAt: createdAt })),
  )
  const isChange = ({ to, removed }: (typeof log.changes)[number], wasRemoved: boolean) =>
    (removed === true) === wasRemoved && to === 2
  passed = 10_000
  await Promise.all(sweepers.map((sweeper) => sweeper.sweep()))
  for (const { id } of jobs)
    expect((await first.read(id))?.header).toMatchObject({ version: 2, status: 'failed', endedAt: expect.any(String) })
  passed = 200_000
  await Promise.all(sweepers.map((sweeper) => sweeper.sweep()))
  for (const { id } of jobs) expect(await first.read(id)).toBeUndefined()
  const last = await created(first)
  await log.until(({ id }) => id === last.id)
  expect(log.changes.filter((change) => isChange(change, false))).toHaveLength(jobs.length)
  expect(log.changes.filter((change) => isChange(change, true))).toHaveLength(jobs.length)
  expect(errors).toEqual([])
}, 20_000)

test('a node that is killed or paused while it sweeps is followed by another, and changes nothing when it goes on', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await threeNodes(redis)
  const { engines } = nodes
  const [first, second, third] = engines as [RedisEngine, RedisEngine, RedisEngine]
  const { id, createdAt } = await created(first, { timeoutSeconds: 1 })
  const began = Date.parse(createdAt)
  const due = (engine: RedisEngine) => engine.due({ list: 'end', before: began + 10_000, limit: 10 })
  expect((await due(first)).map((job) => job.id)).toEqual([id])
  // It sweeps, and again and again; the others hear of nothing.
  expect([await due(second), await due(third)]).toEqual([[], []])
  expect(await due(first)).toHaveLength(1)
  // Longer than the interval of its sweeps, but it ends by itself.
  const left = Number(await redis.command('PTTL', LEASE))
  expect(left).toBeGreaterThan(SWEEP_MS)
  await redis.command('PEXPIRE', LEASE, '1')
  while ((await redis.command('EXISTS', LEASE)) === '1') await Bun.sleep(1)

  expect(await due(second)).toHaveLength(1)
  expect(await due(first)).toEqual([])
  const decide: DueTerms = { now: began + 10_000, since: began - 1_000, steps: [], retentionSeconds: 60 }
  const end = async (engine: RedisEngine) => taken(await engine.apply(id, batchOf([], { decide })))
  expect(await end(second)).toMatchObject({ version: 2, status: 'failed' })
  expect(await end(first)).toMatchObject({ version: 2, status: 'failed' })
  const expired = { ...decide, now: began + 100_000_000 }
  expect((await Promise.all(engines.map((engine) => engine.remove(id, { expired })))).sort()).toEqual([
    false,
    false,
    true,
  ])
})
