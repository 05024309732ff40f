import { expect, test } from 'bun:test'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { batchOf, created, documentOf, publish, refusal, taken } from '../../conformance/fixtures.ts'
import { eventually, shown, versionShown, watchJob } from '../../support/engine-streams.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

const progress = (done: number) => ({ type: 'progress', done }) as const
const NODES = 3

/** Several nodes on one server, each behind a proxy of its own, and one that reaches it directly. */
async function severalNodes(redis: RedisServer) {
  const stack = new AsyncDisposableStack()
  const open = async (setting: string) => {
    const engine = await RedisEngine.open(setting)
    stack.defer(() => engine.close())
    return engine
  }
  const proxies = await Promise.all(
    Array.from({ length: NODES }, async () => stack.use(await TcpProxy.start(redis.port))),
  )
  const engines = await Promise.all(proxies.map(({ port }) => open(`redis://127.0.0.1:${port}`)))
  const [ours, proxy] = [engines[0], proxies[0]]
  if (!ours || !proxy) throw new Error('There are none')
  return {
    proxies,
    engines,
    ours,
    proxy,
    other: await open(redis.setting),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** The calls of a command, as the server counts them. */
async function callsOf(redis: RedisServer, command: string): Promise<number> {
  const text = await redis.command('INFO', 'commandstats')
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0)
}

test.concurrent('a node that is parted from Redis, or whose connections are half open, refuses publishes, and misses nothing in the end', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await severalNodes(redis)
  const { engines, proxies, other } = nodes
  const { id } = await created(other)
  const logs = await Promise.all(engines.map((engine) => watchJob(engine, id)))
  for (const [log] of logs) await log.until((said) => versionShown(said) === 1)
  const [parted, halved] = proxies
  parted?.part()
  halved?.halve()
  const answers = await Promise.all(engines.map((engine, index) => engine.apply(id, batchOf([progress(index)]))))
  expect(answers.map((answer) => refusal(answer)?.status)).toEqual([503, 503, undefined])
  await publish(other, id, [progress(4)])
  await logs[2]?.[0].until((said) => versionShown(said) === 3)
  await logs[1]?.[0].until((said) => versionShown(said) === 3)
  const [ofParted] = logs
  expect(ofParted && versionShown(ofParted[0])).toBe(1)
  parted?.release()
  for (const engine of engines) await eventually(() => engine.check())
  await publish(other, id, [progress(5)])
  // What the parted node sent before it gave up may arrive now.
  const arrived = async () => (await documentOf(other, id)).version
  for (const [log, hub] of logs) {
    await eventually(async () => expect(versionShown(log)).toBe(await arrived()))
    expect(shown(log)).toEqual(await documentOf(other, id))
    expect(log.isClosed).toBe(false)
    hub.close()
  }
}, 60_000)

test.concurrent('a server that ends the subscriptions of all nodes: their streams stay open, and have what happened meanwhile', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await severalNodes(redis)
  const { engines, other } = nodes
  const { id } = await created(other)
  const logs = await Promise.all(engines.map((engine) => watchJob(engine, id)))
  for (const [log] of logs) await log.until((said) => versionShown(said) === 1)
  for (let done = 1; done <= 5; done++) {
    const killed = redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => publish(other, id, [progress(done)]))
    await killed
  }
  const document = await eventually(() => documentOf(other, id))
  for (const [log, hub] of logs) {
    await log.until((said) => versionShown(said) === document.version)
    expect(shown(log)).toEqual(document)
    expect(log.isClosed).toBe(false)
    hub.close()
  }
}, 60_000)

test.concurrent('a subscriber whose output buffer overflows is cut off by the server, and comes to the document', async () => {
  await using redis = await RedisServer.start('--client-output-buffer-limit', 'pubsub 1mb 0 0')
  await using nodes = await severalNodes(redis)
  const { ours, proxy, other } = nodes
  const { id } = await created(other)
  const [log, hub] = await watchJob(ours, id)
  await log.until((said) => versionShown(said) === 1)
  proxy.stall('ssubscribe')
  const subscribers = async () => (await redis.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').length
  const before = await subscribers()
  const line = { type: 'log', message: 'x'.repeat(7_000) } as const
  let published = 0
  for (; (await subscribers()) === before; published += 200)
    await Promise.all(Array.from({ length: 200 }, () => publish(other, id, [line])))
  proxy.release()
  await publish(other, id, [progress(1)])
  await log.until((said) => versionShown(said) === published + 2)
  expect(shown(log)).toEqual(await documentOf(other, id))
  expect(log.isClosed).toBe(false)
  hub.close()
}, 60_000)

test.concurrent('a server that sleeps for less than three seconds answers late, and nothing is refused', async () => {
  await using redis = await RedisServer.start('--enable-debug-command', 'yes')
  await using nodes = await severalNodes(redis)
  const { engines, proxies, other } = nodes
  const { id } = await created(other)
  const before = proxies.map(({ accepted }) => accepted)
  const asleep = redis.command('DEBUG', 'SLEEP', '1')
  const headers = await Promise.all(
    engines.map(async (engine, index) => taken(await engine.apply(id, batchOf([progress(index)])))),
  )
  await asleep
  expect(headers.map(({ version }) => version).sort()).toEqual([2, 3, 4])
  expect(proxies.map(({ accepted }) => accepted)).toEqual(before)
})

test.concurrent('a primary that is made a replica refuses publishes, and takes them when it is the primary again', async () => {
  await using redis = await RedisServer.start()
  await using nodes = await severalNodes(redis)
  const { ours, other } = nodes
  const { id } = await created(other)
  const [log, hub] = await watchJob(ours, id)
  await log.until((said) => versionShown(said) === 1)
  await redis.command('REPLICAOF', '127.0.0.1', '1')
  for (const engine of [ours, other]) expect(refusal(await engine.apply(id, batchOf([progress(1)])))?.status).toBe(503)
  await redis.command('REPLICAOF', 'NO', 'ONE')
  for (const engine of [ours, other]) await eventually(() => engine.check())
  await publish(other, id, [progress(2)])
  await log.until((said) => versionShown(said) === 2)
  expect(shown(log)).toEqual(await documentOf(other, id))
  expect(log.isClosed).toBe(false)
  hub.close()
}, 60_000)

test('a server that comes back is met by no stampede: one read and one subscription a node for each watched job', async () => {
  const JOBS = 200
  await using redis = await RedisServer.start('--appendonly', 'yes')
  await using nodes = await severalNodes(redis)
  const { engines, proxies, other } = nodes
  const jobs = await Promise.all(Array.from({ length: JOBS }, () => created(other)))
  const lost = engines.map(() => 0)
  for (const [index, engine] of engines.entries()) {
    const onLost = () => {
      lost[index] = (lost[index] ?? 0) + 1
    }
    for (const { id } of jobs) {
      await engine.watch({ job: id }, () => {}, onLost)
      await engine.read(id)
    }
  }
  const accepted = () => proxies.map((proxy) => proxy.accepted)
  const before = accepted()
  await redis.kill()
  // Each try is a connection. That they become rarer shows in how many there are.
  await Bun.sleep(1_500)
  const tries = accepted().map((count, index) => count - (before[index] ?? 0))
  for (const count of tries) expect(count).toBeLessThan(30)
  await redis.restart()
  for (const engine of engines) await eventually(() => engine.check())
  await eventually(() => other.check())
  expect(await callsOf(redis, 'ssubscribe')).toBe(NODES * (JOBS + 1) + 1)
  expect(await callsOf(redis, 'evalsha')).toBe(NODES * JOBS)
  expect(lost).toEqual(engines.map(() => 0))
}, 60_000)

test.concurrent('a server whose replication id changes while it runs costs a try, and nothing is lost', async () => {
  await using redis = await RedisServer.start('--repl-diskless-sync-delay', '0')
  await using nodes = await severalNodes(redis)
  const { ours, other } = nodes
  const { id } = await created(other)
  const [log, hub] = await watchJob(ours, id)
  await publish(other, id, [progress(1)])
  // The first replica begins the history of replication.
  await using replica = await RedisServer.start('--replicaof', `127.0.0.1 ${redis.port}`)
  await eventually(async () => expect(await replica.command('INFO', 'replication')).toContain('link_status:up'))
  await eventually(() => publish(other, id, [progress(2)]))
  await log.until((said) => versionShown(said) === 3)
  expect(shown(log)).toEqual(await documentOf(other, id))
  expect(log.isClosed).toBe(false)
  hub.close()
}, 60_000)
