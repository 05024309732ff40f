import { describe, expect, test } from 'bun:test'
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import type { Engine } from '../../../server/jobs/engine.ts'
import { batchOf, created, documentOf, publish, refusal, taken, unique, WakeLog } from '../../conformance/fixtures.ts'
import { eventually, shown, versionShown, watchJob } from '../../support/engine-streams.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { ServerProcess } from '../../support/server-process.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { accessToken } from '../../support/tokens.ts'

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']
const progress = (done: number) => ({ type: 'progress', done }) as const

/** Publishes until it is acknowledged, as a producer with a key does. */
const insist = (engine: Engine, id: string, done: number) =>
  eventually(async () =>
    taken(await engine.apply(id, batchOf([progress(done)], { key: { key: `done ${done}`, digest: 'd' } }))),
  )

describe('a Redis server in trouble', () => {
  test('that is stopped and goes on: publishes are refused meanwhile, streams stay open and miss nothing', async () => {
    await using redis = await RedisServer.start()
    const engine = await RedisEngine.open(redis.setting)
    const { id } = await created(engine)
    const [log, hub] = await watchJob(engine, id)
    await publish(engine, id, [progress(1)])
    // A stream that has shown nothing yet starts over.
    await log.until((said) => versionShown(said) === 2)
    redis.signal('SIGSTOP')
    const key = { key: 'done 2', digest: 'd' }
    const answers = await Promise.all([
      engine.apply(id, batchOf([progress(2)], { key })),
      engine.read(id).catch(() => 0),
    ])
    expect([refusal(answers[0])?.status, answers[1]]).toEqual([503, 0])
    expect(refusal(await engine.apply(id, batchOf([progress(3)])))?.status).toBe(503)
    expect(await engine.check().catch(() => 'unavailable')).toBe('unavailable')
    redis.signal('SIGCONT')
    await insist(engine, id, 2)
    expect(await engine.check()).toBeUndefined()
    await log.until((said) => versionShown(said) === 3)
    expect(shown(log)).toEqual(await documentOf(engine, id))
    expect(log.isClosed).toBe(false)
    hub.close()
    await engine.close()
  }, 60_000)

  test('that is killed and restarted has all that was acknowledged, and streams that were open go on', async () => {
    await using redis = await RedisServer.start(...DURABLE)
    const engine = await RedisEngine.open(redis.setting, { acknowledge: 'disk' })
    const { id } = await created(engine)
    const [log, hub] = await watchJob(engine, id)
    for (let done = 1; done <= 5; done++) {
      await publish(engine, id, [progress(done)])
      await redis.kill()
      expect(refusal(await engine.apply(id, batchOf([progress(99)])))?.status).toBe(503)
      await redis.restart()
      await eventually(() => engine.check())
      expect((await engine.read(id))?.header).toMatchObject({ version: done + 1, progress: { done } })
    }
    await publish(engine, id, [progress(6)])
    await log.until((said) => versionShown(said) === 7)
    expect(shown(log)).toEqual(await documentOf(engine, id))
    expect(log.isClosed).toBe(false)
    hub.close()
    await engine.close()
  }, 60_000)

  test('that comes back without its newest events begins a generation: watchers who have seen them get the document anew', async () => {
    await using redis = await RedisServer.start('--dbfilename', 'old.rdb')
    const engine = await RedisEngine.open(redis.setting)
    const [lost, kept] = [await created(engine), await created(engine)]
    await publish(engine, lost.id, [progress(1)])
    await publish(engine, kept.id, [progress(1)])
    await redis.command('SAVE')
    const [lostLog, lostHub] = await watchJob(engine, lost.id)
    const [keptLog, keptHub] = await watchJob(engine, kept.id)
    for (const done of [2, 3, 4]) await publish(engine, lost.id, [progress(done)])
    await lostLog.until((said) => versionShown(said) === 5)
    const seen = shown(lostLog)
    await redis.kill()
    await redis.restart()
    await eventually(() => engine.check())
    // As many other events under the same versions, and one more.
    for (const done of [12, 13, 14, 15]) await publish(engine, lost.id, [progress(done)])
    await publish(engine, kept.id, [progress(2)])
    await lostLog.until(({ isClosed }) => isClosed)
    expect(versionShown(lostLog)).toBe(5)
    await keptLog.until((said) => versionShown(said) === 3)
    expect(keptLog.isClosed).toBe(false)

    // The client comes back with its cursor, as the route reads it.
    const job = await engine.read(lost.id)
    expect(job?.header.version).toBe(6)
    expect(job?.header.generation).not.toBe(seen.generation)
    expect(job?.marks.generations?.map(([, from]) => from)).toEqual([1, 3])
    for (const hub of [lostHub, keptHub]) hub.close()
    await engine.close()
  }, 60_000)

  test('whose memory is full refuses events; reads and removals go on', async () => {
    await using redis = await RedisServer.start()
    const engine = await RedisEngine.open(redis.setting)
    const [first, second] = [await created(engine), await created(engine)]
    await redis.command('CONFIG', 'SET', 'maxmemory', '1000000')
    expect(await engine.apply(first.id, batchOf([progress(1)]))).toMatchObject({
      refused: { status: 503, detail: expect.stringContaining('full, and nothing') },
    })
    expect((await documentOf(engine, first.id)).version).toBe(1)
    expect(await engine.remove(second.id)).toBe(true)
    expect((await engine.list({ owner: first.owner, limit: 1 })).rows).toHaveLength(1)
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await publish(engine, first.id, [progress(2)])
    await engine.close()
  })

  test('that can not write to its disk refuses events and says so, and takes them when it can', async () => {
    await using redis = await RedisServer.start()
    const engine = await RedisEngine.open(redis.setting)
    const { id } = await created(engine)
    const saves = async (status: string) => {
      await redis.command('BGSAVE')
      await eventually(async () =>
        expect(await redis.command('INFO', 'persistence')).toContain(`bgsave_status:${status}`),
      )
    }
    await redis.command('CONFIG', 'SET', 'save', '3600 1')
    // A folder in place of the file that it writes.
    await mkdir(join(redis.folder, 'dump.rdb'))
    await saves('err')
    expect(await engine.apply(id, batchOf([progress(1)]))).toMatchObject({
      refused: { status: 503, detail: expect.stringContaining('disk, and nothing') },
    })
    expect((await documentOf(engine, id)).version).toBe(1)
    await rmdir(join(redis.folder, 'dump.rdb'))
    await saves('ok')
    await publish(engine, id, [progress(1)])
    await engine.close()
  })

  test('that runs an endless script is away until it is killed', async () => {
    await using redis = await RedisServer.start('--busy-reply-threshold', '100')
    const engine = await RedisEngine.open(redis.setting)
    const { id } = await created(engine)
    const script = redis.command('EVAL', 'while true do end', '0').catch(() => {})
    await eventually(async () => expect(refusal(await engine.apply(id, batchOf([progress(1)])))?.status).toBe(503))
    await eventually(() => redis.command('SCRIPT', 'KILL'))
    await script
    await insist(engine, id, 2)
    await engine.close()
  }, 60_000)

  test('whose scripts are flushed gets them again', async () => {
    await using redis = await RedisServer.start()
    const engine = await RedisEngine.open(redis.setting)
    const { id } = await created(engine)
    await redis.command('SCRIPT', 'FLUSH')
    await publish(engine, id, [progress(1)])
    expect((await documentOf(engine, id)).version).toBe(2)
    await engine.close()
  })
})

test('databases of one Redis server do not hear of each other', async () => {
  await using redis = await RedisServer.start()
  const engines = await Promise.all([0, 1].map((database) => RedisEngine.open(`${redis.setting}/${database}`)))
  const [first, second] = engines as [RedisEngine, RedisEngine]
  const { id } = await created(first)
  await created(second, { id })
  const log = new WakeLog()
  await first.watch({ job: id }, log.wake)
  await publish(second, id, [progress(1), progress(2)])
  await publish(first, id, [progress(1)])
  await log.until(({ to }) => to === 2)
  expect(log.changes).toHaveLength(1)
  await Promise.all(engines.map((engine) => engine.close()))
})

describe('connections to Redis', () => {
  test('that are cut are made again; who watched hears of what others did meanwhile', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const engine = await RedisEngine.open(`redis://127.0.0.1:${proxy.port}`)
    const other = await RedisEngine.open(redis.setting)
    const { id } = await created(other)
    const [log, hub] = await watchJob(engine, id)
    await log.until((said) => versionShown(said) === 1)
    for (let done = 1; done <= 10; done++) {
      proxy.cut()
      await publish(other, id, [progress(done)])
      await log.until((said) => versionShown(said) === done + 1)
    }
    expect(shown(log)).toEqual(await documentOf(other, id))
    expect(log.isClosed).toBe(false)
    hub.close()
    await Promise.all([engine.close(), other.close()])
  }, 60_000)

  test('that are open but bring no messages are noticed, and replaced', async () => {
    await using redis = await RedisServer.start()
    await using proxy = await TcpProxy.start(redis.port)
    const engine = await RedisEngine.open(`redis://127.0.0.1:${proxy.port}`)
    const other = await RedisEngine.open(redis.setting)
    const { id, owner } = await created(other, { owner: unique('owner') })
    const [job, lost] = [new WakeLog(), Promise.withResolvers<void>()]
    await engine.watch({ job: id }, job.wake)
    await engine.watch({ owner }, () => {}, lost.resolve)
    await engine.changesSince(id, undefined, { view: 'all', maxBytes: 1_000 })
    proxy.mute('ssubscribe')
    await publish(other, id, [progress(1)])
    // Whoever watches an owner starts over; whoever watches a job is told where it stands.
    await lost.promise
    await job.until(({ to }) => to === 2)
    await Promise.all([engine.close(), other.close()])
  }, 60_000)
})

test('a server and its Redis, both killed between publishes, have every event that was acknowledged at level disk', async () => {
  await using redis = await RedisServer.start(...DURABLE)
  await using server = await ServerProcess.start({ MILEPOST_ENGINE: redis.setting, MILEPOST_ACKNOWLEDGE: 'disk' })
  const headers = { authorization: `Bearer ${await accessToken('ada')}`, 'content-type': 'application/json' }
  const call = (path: string, body?: unknown) =>
    fetch(
      new URL(path, server.url),
      body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
    )
  expect((await call('api/jobs', { id: 'killed', kind: 'test', title: 'Killed' })).status).toBe(201)
  for (let done = 1; done <= 4; done++) {
    const answer = await call('api/jobs/killed/events', progress(done))
    expect(await answer.json()).toMatchObject({ version: done + 1 })
    await redis.kill()
    const refused = await call('api/jobs/killed/events', progress(99))
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect((await fetch(new URL('readyz', server.url))).status).toBe(503)
    await server.kill('SIGKILL')
    await redis.restart()
    await server.restart()
    expect(await (await call('api/jobs/killed')).json()).toMatchObject({ version: done + 1, progress: { done } })
  }
}, 60_000)
