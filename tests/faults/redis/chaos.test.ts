import { expect, test } from 'bun:test'
import type { Job } from '../../../shared/document/job.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ApiClient } from '../../support/api-client.ts'
import { eventually } from '../../support/engine-streams.ts'
import { InsistentProducer } from '../../support/insistent-producer.ts'
import { RedisApp } from '../../support/redis-app.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { RoamingWatcher, type Told } from '../../support/roaming-watcher.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { accessToken } from '../../support/tokens.ts'

test('watchers and producers of three nodes have one document, whatever happens to the connections to Redis', async () => {
  const random = new SeededRandom(17)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.number() * from.length)] as T
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await RedisServer.start('--enable-debug-command', 'yes'))
  const proxies = [0, 1, 2].map(async () => stack.use(await TcpProxy.start(redis.port)))
  const ways = await Promise.all(proxies)
  const apps = await Promise.all(
    ways.map(async ({ port }) => stack.use(await RedisApp.start(`redis://127.0.0.1:${port}`))),
  )
  const urls = apps.map(({ url }) => url)
  const token = await accessToken('ada')
  const client = new ApiClient(urls[0] ?? '', token)
  const jobs = await Promise.all(
    Array.from({ length: 4 }, async () => ({ ...(await client.create()), told: new Map() as Told, sent: 0 })),
  )
  const watchers = jobs.flatMap(({ id, told }) =>
    [0, 1, 2].map((first) => {
      const stay = first === 0 ? Number.POSITIVE_INFINITY : 20 * first
      return new RoamingWatcher({ urls, path: `api/jobs/${id}/progress`, token, told, stay }, first)
    }),
  )
  let isOver = false
  const produce = async (job: (typeof jobs)[number], first: number) => {
    const producer = new InsistentProducer(`${job.id}-${first}`, urls, token, first)
    for (let count = 0; !isOver; count++) {
      await producer.publish(job.id, {
        type: 'item',
        id: `${first}-${count % 5}`,
        status: 'running',
        message: `${count}`,
      })
      job.sent += 1
      await Bun.sleep(random.number() * 10)
    }
  }
  const production = Promise.all(jobs.flatMap((job) => [produce(job, 1), produce(job, 2)]))
  const faults = {
    cut: () => pick(ways).cut(),
    part: async () => {
      const way = pick(ways)
      way.part()
      await Bun.sleep(2_500 + random.number() * 1_000)
      way.release()
    },
    halve: () => pick(ways).halve(),
    hold: async () => {
      const way = pick(ways)
      way.hold(pick(['EVALSHA', 'ssubscribe', 'INFO']))
      if (random.number() < 0.5) way.cut()
      await Bun.sleep(random.number() * 1_000)
      way.release()
    },
    pubsub: () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    normal: () => redis.command('CLIENT', 'KILL', 'TYPE', 'normal'),
    sleep: () => redis.command('DEBUG', 'SLEEP', '0.3'),
    scripts: () => redis.command('SCRIPT', 'FLUSH'),
  }
  for (const fault of Object.values(faults)) {
    await fault()
    await Bun.sleep(random.number() * 300)
  }
  for (const app of apps) await eventually(async () => expect(await app.isReady()).toBe(true))
  isOver = true
  await production
  for (const { id, sent } of jobs) {
    const document: Job = await client.read(id)
    expect(document.version).toBe(1 + sent)
    const theirs = watchers.splice(0, 3)
    await Promise.all(theirs.map((watcher) => watcher.until(({ version }) => version === document.version)))
    for (const { job } of theirs) expect(job).toEqual(document)
    await Promise.all(theirs.map((watcher) => watcher.stop()))
  }
}, 60_000)
