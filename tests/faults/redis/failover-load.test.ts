import { expect, test } from 'bun:test'
import type { Job } from '../../../shared/document/job.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ApiClient } from '../../support/api-client.ts'
import { eventually } from '../../support/engine-streams.ts'
import { InsistentProducer } from '../../support/insistent-producer.ts'
import { ListWatcher } from '../../support/list-watcher.ts'
import { RedisApp } from '../../support/redis-app.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { RoamingWatcher, type Told } from '../../support/roaming-watcher.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { accessToken } from '../../support/tokens.ts'

const FAILOVERS = 3

test.each(['memory', 'replica'] as const)(
  'watchers of three nodes come to the document through failovers while events are published at level %s',
  async (acknowledge) => {
    const random = new SeededRandom(5)
    await using stack = new AsyncDisposableStack()
    let primary = stack.use(await RedisServer.start('--repl-diskless-sync-delay', '0'))
    let replica = stack.use(await RedisServer.start('--repl-diskless-sync-delay', '0'))
    let replication = stack.use(await TcpProxy.start(primary.port))
    const hasReplica = () =>
      eventually(async () => expect(await primary.command('INFO', 'replication')).toContain('state=online'))
    await replica.command('REPLICAOF', '127.0.0.1', `${replication.port}`)
    await hasReplica()
    const ways = await Promise.all([0, 1, 2].map(async () => stack.use(await TcpProxy.start(primary.port))))
    const apps = await Promise.all(
      ways.map(async ({ port }) => stack.use(await RedisApp.start(`redis://127.0.0.1:${port}`, { acknowledge }))),
    )
    const urls = apps.map(({ url }) => url)
    const token = await accessToken('ada')
    const client = new ApiClient(urls[0] ?? '', token)
    const jobs = await Promise.all(
      Array.from({ length: 6 }, async () => ({ ...(await client.create()), told: new Map() as Told, acknowledged: 0 })),
    )
    await primary.isReplicatedTo(replica)
    const watchers = jobs.map(({ id, told }) =>
      [0, 1, 2].map((first) => {
        const stay = first === 0 ? Number.POSITIVE_INFINITY : 30 * first
        return new RoamingWatcher({ urls, path: `api/jobs/${id}/progress`, token, told, stay }, first)
      }),
    )
    const lists = urls.map((url) => new ListWatcher(url, token))
    let isOver = false
    const produce = async (job: (typeof jobs)[number], first: number) => {
      const producer = new InsistentProducer(`${job.id}-${first}`, urls, token, first)
      for (let count = 0; !isOver; count++) {
        await producer.publish(job.id, {
          type: 'item',
          id: `${first}-${count}`,
          status: 'running',
          message: `${count}`,
        })
        job.acknowledged += 1
        await Bun.sleep(random.number() * 10)
      }
    }
    const production = Promise.all(jobs.flatMap((job) => [produce(job, 1), produce(job, 2)]))
    for (let failover = 0; failover < FAILOVERS; failover++) {
      await Bun.sleep(random.number() * 500)
      replication.part()
      await Bun.sleep(random.number() * 100)
      for (const way of ways) if (random.number() < 0.3) way.hold('EVALSHA')
      await primary.kill()
      await replica.command('REPLICAOF', 'NO', 'ONE')
      for (const way of ways) {
        way.upstream = replica.port
        await Bun.sleep(random.number() * 50)
      }
      await Bun.sleep(random.number() * 500)
      for (const way of ways) way.release()
      await replication[Symbol.asyncDispose]()
      ;[primary, replica] = [replica, primary]
      await replica.restart()
      replication = stack.use(await TcpProxy.start(primary.port))
      await replica.command('REPLICAOF', '127.0.0.1', `${replication.port}`)
      await hasReplica()
    }
    for (const app of apps) await eventually(async () => expect(await app.isReady()).toBe(true))
    isOver = true
    await production
    for (const [index, { id, acknowledged }] of jobs.entries()) {
      const document = await client.read(id)
      // What the replica had not got is lost, unless it had to have it. Nothing is there twice.
      if (acknowledge === 'replica') expect(document.version).toBe(1 + acknowledged)
      else expect(document.version).toBeLessThanOrEqual(1 + acknowledged)
      for (const watcher of watchers[index] ?? []) {
        await watcher.until((job) => Bun.deepEquals(job, document))
        await watcher.stop()
      }
      const header: Job = { ...document, steps: [], items: [], errors: [], logs: [] }
      for (const list of lists) await list.until(id, (job) => Bun.deepEquals(job, header))
    }
    for (const list of lists) await list.stop()
  },
  60_000,
)
