import { describe, expect, test } from 'bun:test'
import type { AcknowledgeLevel } from '../../../server/engines/redis/connection/acknowledge.ts'
import type { Job } from '../../../shared/document/job.ts'
import { ApiClient } from '../../support/api-client.ts'
import { eventually } from '../../support/engine-streams.ts'
import { InsistentProducer } from '../../support/insistent-producer.ts'
import { RedisApp } from '../../support/redis-app.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { RoamingWatcher, type Told } from '../../support/roaming-watcher.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { accessToken } from '../../support/tokens.ts'

/** A primary with a replica behind a proxy, and three servers that reach whichever is the primary by one address. */
class Store {
  readonly #stack = new AsyncDisposableStack()
  primary!: RedisServer
  replica!: RedisServer
  /** Between primary and replica. */
  replication!: TcpProxy
  /** Between servers and primary. */
  entry!: TcpProxy
  readonly apps: RedisApp[] = []
  client!: ApiClient
  token = ''

  static async start(acknowledge: AcknowledgeLevel): Promise<Store> {
    const store = new Store()
    const using = <T extends AsyncDisposable>(resource: T) => store.#stack.use(resource)
    store.primary = using(await RedisServer.start('--repl-diskless-sync-delay', '0'))
    store.replication = using(await TcpProxy.start(store.primary.port))
    const of = `127.0.0.1 ${store.replication.port}`
    store.replica = using(await RedisServer.start('--repl-diskless-sync-delay', '0', '--replicaof', of))
    store.entry = using(await TcpProxy.start(store.primary.port))
    await store.hasReplica(store.primary)
    for (let node = 0; node < 3; node++)
      store.apps.push(using(await RedisApp.start(`redis://127.0.0.1:${store.entry.port}`, { acknowledge })))
    store.token = await accessToken('ada')
    store.client = new ApiClient(store.urls[0] ?? '', store.token)
    return store
  }

  async hasReplica(server: RedisServer): Promise<void> {
    await eventually(async () => expect(await server.command('INFO', 'replication')).toContain('state=online'))
  }

  /** Loses the primary, and all that its replica has not got. */
  async failOver(): Promise<void> {
    await this.primary.kill()
    this.replication.cut()
    await this.replica.command('REPLICAOF', 'NO', 'ONE')
    this.entry.upstream = this.replica.port
    for (const app of this.apps) await eventually(async () => expect(await app.isReady()).toBe(true))
  }

  get urls(): string[] {
    return this.apps.map(({ url }) => url)
  }

  watch(id: string, told: Told): RoamingWatcher[] {
    const journey = { urls: this.urls, path: `api/jobs/${id}/progress`, token: this.token, told, stay: 1_000 }
    return [0, 1, 2].map((first) => new RoamingWatcher(journey, first))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

const item = (id: string, message: string) => ({ type: 'item', id, status: 'running', message }) as const

describe('a primary that is lost with what its replica has not got', () => {
  test('takes acknowledged events of level memory with it: every watcher comes to the document of the new one', async () => {
    await using store = await Store.start('memory')
    const { client, urls, token } = store
    // As many events are lost, then published again: fewer, as many, more; none lost; none published.
    const plans = [
      [3, 1],
      [3, 3],
      [3, 5],
      [1, 4],
      [0, 2],
      [3, 0],
    ] as const
    const jobs = await Promise.all(
      plans.map(async ([lost, again]) => ({ ...(await client.create()), lost, again, told: new Map() as Told })),
    )
    for (const { id } of jobs) await client.publish(id, item('kept', '1'), item('kept', '2'))
    await store.primary.isReplicatedTo(store.replica)
    const watchers = new Map(jobs.map(({ id, told }) => [id, store.watch(id, told)]))
    const all = (id: string, condition: (job: Job) => boolean) =>
      Promise.all((watchers.get(id) ?? []).map((watcher) => watcher.until(condition)))

    store.replication.part()
    for (const { id, lost } of jobs)
      for (let count = 0; count < lost; count++) await client.publish(id, item(`lost ${count}`, 'lost'))
    const gone = await client.create()
    await using stream = await client.stream(`api/jobs/${gone.id}/progress`)
    expect((await stream.next())?.event).toBe('snapshot')
    for (const { id, lost } of jobs) await all(id, ({ version }) => version === 3 + lost)
    await store.failOver()

    await Promise.all(
      jobs.map(async ({ id, again }, index) => {
        const producer = new InsistentProducer(id, urls, token, index)
        for (let count = 0; count < again; count++) await producer.publish(id, item(`again ${count}`, `${count}`))
      }),
    )
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'end', data: { reason: 'deleted' } })
    for (const { id, again } of jobs) {
      const document = await client.read(id)
      expect(document.version).toBe(3 + again)
      expect(document.items.map(({ id: name }) => name)).not.toContain('lost 0')
      await all(id, ({ version, items }) => version === 3 + again && !items.some(({ message }) => message === 'lost'))
      for (const watcher of watchers.get(id) ?? []) {
        expect(watcher.job).toEqual(document)
        await watcher.stop()
      }
    }
  }, 60_000)

  test('takes nothing that was acknowledged at level replica with it: unconfirmed events get 503, and are taken once', async () => {
    await using store = await Store.start('replica')
    const { client, urls, token } = store
    const job = await client.create()
    const watchers = store.watch(job.id, new Map())
    await client.publish(job.id, item('a', '1'))
    store.replication.part()
    const producers = urls.map((_, index) => new InsistentProducer(`p${index}`, urls, token, index))
    const published = Promise.all(
      producers.map((producer, index) => producer.publish(job.id, item(`held ${index}`, '1'))),
    )
    await eventually(async () => expect(producers.every(({ refused }) => refused > 0)).toBe(true))
    // They are there, but nobody was told so.
    expect((await client.read(job.id)).version).toBe(5)
    await store.failOver()
    await store.primary.restart()
    await store.primary.command('REPLICAOF', '127.0.0.1', `${store.replica.port}`)
    await store.hasReplica(store.replica)
    await published
    const document = await client.read(job.id)
    expect(document.version).toBe(5)
    for (const watcher of watchers) {
      await watcher.until(({ version, generation }) => version === 5 && generation === document.generation)
      expect(watcher.job).toEqual(document)
      await watcher.stop()
    }
  }, 60_000)
})
