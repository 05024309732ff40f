import { expect, test } from 'bun:test'
import { createApp } from '../../../server/app.ts'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { batchOf, created, documentOf, publish, refusal, taken, unique, WakeLog } from '../../conformance/fixtures.ts'
import { openLog } from '../../conformance/stream-log.ts'
import { eventually, shown, versionShown, watchJob } from '../../support/engine-streams.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { SECRET } from '../../support/tokens.ts'

const progress = (done: number) => ({ type: 'progress', done }) as const
const item = (id: string) => ({ type: 'item', id, status: 'succeeded' }) as const

/** A server that comes back as it was at its last `SAVE`, whatever it was told since. */
const FORGETFUL = ['--dbfilename', 'old.rdb']

/** Two processes on one server, the first of them behind a proxy. */
async function twoNodes(redis: RedisServer) {
  const proxy = await TcpProxy.start(redis.port)
  const [ours, other] = await Promise.all([
    RedisEngine.open(`redis://127.0.0.1:${proxy.port}`),
    RedisEngine.open(redis.setting),
  ])
  return {
    proxy,
    ours,
    other,
    async [Symbol.asyncDispose]() {
      proxy.release()
      await Promise.all([ours.close(), other.close()])
      await proxy[Symbol.asyncDispose]()
    },
  }
}

test.concurrent('a node that hears of events of another history before it has compared the job mixes them into no document', async () => {
  await using redis = await RedisServer.start(...FORGETFUL)
  await using nodes = await twoNodes(redis)
  const { proxy, ours, other } = nodes
  const { id } = await created(other)
  await redis.command('SAVE')
  const [log, hub] = await watchJob(ours, id)
  await publish(other, id, [item('lost'), item('lost too')])
  await log.until((said) => versionShown(said) === 3)
  // Subscriptions pass, scripts wait.
  proxy.hold('EVALSHA')
  await redis.kill()
  await redis.restart()
  await eventually(() => other.check())
  await eventually(async () => expect(await redis.command('PUBSUB', 'SHARDCHANNELS', `*job:${id}`)).toContain(id))
  for (const done of [1, 2, 3]) await publish(other, id, [progress(done)])
  // Long enough for the messages to get through, if anything let them.
  for (let turn = 0; turn < 50; turn++) await Bun.sleep(1)
  proxy.release()
  await eventually(() => ours.check())
  await publish(other, id, [progress(4)])
  await log.until((said) => said.isClosed || versionShown(said) === 5)
  if (!log.isClosed) expect(shown(log)).toEqual(await documentOf(other, id))
  expect(shown(log).version).toBe(3)
  hub.close()
}, 20_000)

test.concurrent('a node hears of the first event after a failover that lost a commit without events', async () => {
  await using redis = await RedisServer.start(...FORGETFUL)
  await using nodes = await twoNodes(redis)
  const { ours, other } = nodes
  const { id } = await created(other)
  await redis.command('SAVE')
  const [log, hub] = await watchJob(ours, id)
  const wakes = new WakeLog()
  await ours.watch({ job: id }, wakes.wake)
  await log.until((said) => versionShown(said) === 1)
  taken(await other.apply(id, batchOf([], { decide: 'end-tokens' })))
  await wakes.until(({ tokenSeries }) => tokenSeries !== undefined)
  await redis.kill()
  await redis.restart()
  await Promise.all([eventually(() => other.check()), eventually(() => ours.check())])
  await publish(other, id, [progress(1)])
  await log.until((said) => versionShown(said) === 2)
  expect(shown(log)).toEqual(await documentOf(other, id))
  expect(log.isClosed).toBe(false)
  hub.close()
}, 20_000)

test.concurrent('work in the process of a server hears of requests after Redis lost newer events of its job', async () => {
  await using redis = await RedisServer.start(...FORGETFUL)
  await using nodes = await twoNodes(redis)
  const { ours, other } = nodes
  const { jobs } = createApp({ engine: ours, auth: { secret: SECRET }, onError: () => {} })
  const { id } = await jobs.create({ owner: 'ada', kind: 'test', title: 'Test' })
  const work = jobs.run(id, ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)))
  await eventually(async () => expect((await other.read(id))?.header.status).toBe('running'))
  await redis.command('SAVE')
  for (const message of ['lost', 'lost too']) jobs.emit(id, { type: 'log', message })
  await jobs.flush(id)
  await redis.kill()
  await redis.restart()
  await Promise.all([eventually(() => other.check()), eventually(() => ours.check())])
  const { version } = taken(await other.apply(id, batchOf([{ type: 'control', cancelRequested: true }])))
  expect(version).toBe(3)
  await work
  expect((await other.read(id))?.header.status).toBe('cancelled')
}, 20_000)

test.concurrent('a node that connects again brings all of many watched jobs up to date, without waiting for a ping', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await twoNodes(redis)
  const { proxy, ours, other } = nodes
  const jobs = await Promise.all(Array.from({ length: 700 }, () => created(other)))
  const [log, hub] = await openLog(ours, (streams) =>
    streams.openJobs(
      jobs.map(({ id }) => ({ id })),
      { sub: 'ada' },
    ),
  )
  await log.until(({ messages }) => messages.length === jobs.length)
  proxy.hold('INFO')
  proxy.cut()
  await Promise.all(jobs.map(({ id }) => publish(other, id, [progress(1), progress(2)])))
  proxy.release()
  await log.until(({ messages }) => messages.length >= 2 * jobs.length)
  const said = log.messages.slice(jobs.length)
  expect(new Set(said.map(({ data }) => data.jobId))).toEqual(new Set(jobs.map(({ id }) => id)))
  expect(said.every(({ event, data }) => event === 'patch' && data.to === 3)).toBe(true)
  expect(log.isClosed).toBe(false)
  hub.close()
}, 20_000)

test.concurrent('a watcher that has read nothing when its node loses Redis starts over', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await twoNodes(redis)
  const { proxy, ours, other } = nodes
  const { id } = await created(other)
  const lost = Promise.withResolvers<void>()
  await ours.watch({ job: id }, () => {}, lost.resolve)
  proxy.cut()
  await lost.promise
}, 20_000)

test.concurrent('watchers on the node whose commit arrives after it gave up hear of it', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await twoNodes(redis)
  const { proxy, ours, other } = nodes
  const { id } = await created(ours)
  const [log, hub] = await watchJob(ours, id)
  await log.until((said) => versionShown(said) === 1)
  proxy.hold('sent, and late')
  expect(refusal(await ours.apply(id, batchOf([{ type: 'log', message: 'sent, and late' }])))?.status).toBe(503)
  await eventually(() => ours.check())
  expect((await documentOf(other, id)).version).toBe(1)
  proxy.release()
  await log.until((said) => versionShown(said) === 2)
  expect(shown(log)).toEqual(await documentOf(other, id))
  hub.close()
}, 20_000)

test.concurrent('watchers hear of an event that no replica confirmed once it is published again', async () => {
  await using redis = await RedisServer.start('--repl-diskless-sync-delay', '0')
  await using replica = await RedisServer.start('--replicaof', `127.0.0.1 ${redis.port}`)
  await eventually(async () => expect(await redis.command('INFO', 'replication')).toContain('state=online'))
  const engine = await RedisEngine.open(redis.setting, { acknowledge: 'replica' })
  const { id } = await created(engine)
  const [log, hub] = await watchJob(engine, id)
  replica.signal('SIGSTOP')
  const batch = batchOf([progress(1)], { key: { key: unique('key'), digest: 'd' } })
  expect(refusal(await engine.apply(id, batch))?.status).toBe(503)
  replica.signal('SIGCONT')
  expect(taken(await engine.apply(id, batch)).version).toBe(2)
  await log.until((said) => versionShown(said) === 2)
  hub.close()
  await engine.close()
}, 20_000)

test.concurrent('servers that start at the same time begin one store', async () => {
  await using redis = await RedisServer.start()
  const engines = await Promise.all(Array.from({ length: 8 }, () => RedisEngine.open(redis.setting)))
  const [first, , , , , , , last] = engines
  if (!first || !last) throw new Error('Too few')
  const { id } = await created(first)
  await publish(last, id, [progress(1)])
  expect((await documentOf(first, id)).version).toBe(2)
  await Promise.all(engines.map((engine) => engine.close()))
})

test.concurrent('a store that was emptied while servers ran takes new servers', async () => {
  await using redis = await RedisServer.start()
  const engine = await RedisEngine.open(redis.setting)
  const { id } = await created(engine)
  const wakes = new WakeLog()
  await engine.watch({ job: id }, wakes.wake)
  await engine.read(id)
  await redis.command('FLUSHALL')
  expect(refusal(await engine.apply(id, batchOf([progress(1)])))?.status).toBe(404)
  await created(engine)
  await (await RedisEngine.open(redis.setting)).close()

  await redis.kill()
  await redis.restart()
  await wakes.until(({ removed }) => removed === true)
  await engine.notes.put({ key: 'session/a', text: 'a' }, Date.now() + 60_000, Date.now())
  await (await RedisEngine.open(redis.setting)).close()
  await engine.close()
}, 20_000)

test.concurrent('a node whose probe of its subscriptions is refused tries again until it is not', async () => {
  await using redis = await RedisServer.start()
  const channels = (...more: string[]) =>
    redis.command('ACL', 'SETUSER', 'ada', 'reset', 'on', 'nopass', '~mp:*', '+@all', ...more)
  // The channel that the start tries, and none of those of nodes.
  await channels('&mp:{all}:0:probe:start')
  const engine = await RedisEngine.open(redis.setting.replace('//', '//ada:any@'))
  const probes = () => redis.command('PUBSUB', 'SHARDCHANNELS', 'mp:{all}:0:probe:*')
  expect(await probes()).toBe('')
  await channels('&mp:*')
  await eventually(async () => expect(await probes()).toContain('probe:'))
  await engine.close()
}, 20_000)
