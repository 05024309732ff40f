import { describe, expect, test } from 'bun:test'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import type { Engine } from '../../../server/jobs/engine.ts'
import { batchOf, created, documentOf, publish, refusal, taken } from '../../conformance/fixtures.ts'
import { RedisSentinels } from '../../support/redis-sentinels.ts'
import { RedisServer } from '../../support/redis-server.ts'

const progress = (done: number) => ({ type: 'progress', done }) as const
const keyed = (done: number) => batchOf([progress(done)], { key: { key: `done ${done}`, digest: 'd' } })

/** Publishes until it is acknowledged, as a producer with a key does. */
async function insist(engine: Engine, id: string, done: number) {
  for (;;) {
    const applied = await engine.apply(id, keyed(done))
    if (!('refused' in applied)) return applied
    expect(applied.refused.status).toBe(503)
    await Bun.sleep(20)
  }
}

describe('the level replica', () => {
  test('acknowledges nothing that no replica has; reads go on while it waits', async () => {
    await using servers = await RedisSentinels.start()
    const engine = await RedisEngine.open(servers.setting, { acknowledge: 'replica' })
    const { id } = await created(engine)
    await publish(engine, id, [progress(1)])
    servers.replica.signal('SIGSTOP')
    const order: string[] = []
    const waiting = engine.apply(id, keyed(2)).then((applied) => {
      order.push('answer')
      return applied
    })
    await engine.read(id)
    order.push('read')
    expect(refusal(await waiting)?.status).toBe(503)
    // The commit is there, but repeating it does not acknowledge it.
    expect(refusal(await engine.apply(id, keyed(2)))?.status).toBe(503)
    expect(order).toEqual(['read', 'answer'])
    servers.replica.signal('SIGCONT')
    expect(await insist(engine, id, 2)).toMatchObject({ repeat: true, header: { version: 3 } })
    await publish(engine, id, [progress(3)])
    expect((await documentOf(engine, id)).version).toBe(4)
    await engine.close()
  }, 60_000)

  test('loses nothing that was acknowledged when the primary is lost', async () => {
    await using servers = await RedisSentinels.start()
    const engine = await RedisEngine.open(servers.setting, { acknowledge: 'replica' })
    const { id } = await created(engine)
    let acknowledged = 1
    const publishing = (async () => {
      for (let done = 1; ; done++) {
        const applied = await engine.apply(id, batchOf([progress(done)]))
        if ('refused' in applied) return
        acknowledged = taken(applied).version
        if (acknowledged === 200) void servers.primary.kill()
      }
    })()
    await publishing
    let version = 0
    while (version === 0) {
      await Bun.sleep(20)
      version = (await engine.read(id).catch(() => undefined))?.header.version ?? 0
    }
    expect(version).toBeGreaterThanOrEqual(acknowledged)
    expect(acknowledged).toBeGreaterThanOrEqual(200)
    await engine.close()
  }, 60_000)
})

test('a primary that was a replica for a while, on the same connections, is noticed at the next use', async () => {
  await using redis = await RedisServer.start()
  const engine = await RedisEngine.open(redis.setting)
  const { id } = await created(engine)
  await publish(engine, id, [progress(1)])
  await redis.command('REPLICAOF', '127.0.0.1', '1')
  await redis.command('REPLICAOF', 'NO', 'ONE')
  expect(refusal(await engine.apply(id, batchOf([progress(2)])))?.status).toBe(503)
  await insist(engine, id, 3)
  const job = await engine.read(id)
  expect(job?.header.version).toBe(3)
  expect(job?.marks.generations?.map(([, from]) => from)).toEqual([1, 3])
  await engine.close()
})
