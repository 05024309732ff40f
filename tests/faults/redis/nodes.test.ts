import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Job } from '../../../shared/document/job.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { ApiClient, unique } from '../../support/api-client.ts'
import { eventually } from '../../support/engine-streams.ts'
import { InsistentProducer } from '../../support/insistent-producer.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { ReportClient } from '../../support/report-client.ts'
import { RoamingWatcher, type Told } from '../../support/roaming-watcher.ts'
import { ServerProcess } from '../../support/server-process.ts'
import { signIn, signInLink } from '../../support/sign-in.ts'
import { accessToken } from '../../support/tokens.ts'

const LIVE_JOBS = 20
/** Items of each producer, whose messages say which of its events was the last. */
const ITEMS = 5

let redis: RedisServer
let nodes: [ServerProcess, ServerProcess, ServerProcess]

const urls = () => nodes.map(({ url }) => url)
const clients = async (sub: string, scope?: string) =>
  Promise.all(nodes.map(async ({ url }) => new ApiClient(url, await accessToken(sub, scope)))) as Promise<
    [ApiClient, ApiClient, ApiClient]
  >

async function allReady(): Promise<void> {
  for (const { url } of nodes)
    await eventually(async () => expect((await fetch(new URL('readyz', url))).status).toBe(200))
}

beforeAll(async () => {
  redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
  const env = {
    MILEPOST_ENGINE: redis.setting,
    MILEPOST_ACKNOWLEDGE: 'disk',
    MILEPOST_LIVE_JOBS: `${LIVE_JOBS}`,
  }
  const start = (ping: string) => ServerProcess.start({ ...env, MILEPOST_PING_SECONDS: ping })
  // Pings heal what wake-ups miss: where the law is tested they are rare.
  nodes = await Promise.all([start('30'), start('30'), start('1')])
}, 60_000)

afterAll(async () => {
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
  await redis[Symbol.asyncDispose]()
})

test('watchers and producers of any node have one document, while nodes and Redis are killed, stopped and restarted', async () => {
  const random = new SeededRandom(13)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.number() * from.length)] as T
  const [ada] = await clients('ada')
  const token = await accessToken('ada')
  const jobs = await Promise.all(
    Array.from({ length: 3 }, async () => ({ ...(await ada.create()), told: new Map() as Told, sent: 0 })),
  )
  const watchers = jobs.flatMap(({ id, told }) =>
    [0, 1, 2].map((first) => {
      const stay = first === 0 ? Number.POSITIVE_INFINITY : 7 * first
      return new RoamingWatcher({ urls: urls(), path: `api/jobs/${id}/progress`, token, told, stay }, first)
    }),
  )
  let isOver = false
  const last = new Map<string, string>()
  const produce = async (job: (typeof jobs)[number], first: number) => {
    const name = `${job.id}-${first}`
    const producer = new InsistentProducer(name, urls(), token, first)
    for (let count = 0; !isOver; count++) {
      const id = `${first}-${count % ITEMS}`
      last.set(`${job.id} ${id}`, `${count}`)
      await producer.publish(job.id, { type: 'item', id, status: 'running', message: `${count}` })
      job.sent += 1
      await Bun.sleep(random.number() * 10)
    }
  }
  const production = Promise.all(jobs.flatMap((job) => [produce(job, 1), produce(job, 2)]))
  const restart = async (node: ServerProcess, signal: NodeJS.Signals) => {
    await node.kill(signal)
    await node.restart()
  }
  for (let kill = 0; kill < 2; kill++) await restart(pick(nodes), 'SIGKILL')
  await redis.kill()
  await redis.restart()
  for (const node of nodes) await restart(node, 'SIGTERM')
  await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  isOver = true
  await production
  await allReady()

  for (const { id, sent, told } of jobs) {
    const documents = await Promise.all((await clients('ada')).map((client) => eventually(() => client.read(id))))
    const [document] = documents as [Job]
    // Each event once.
    expect(document.version).toBe(1 + sent)
    for (const { id: item, message } of document.items) expect(message).toBe(last.get(`${id} ${item}`))
    for (const other of documents) expect(other).toEqual(document)
    const theirs = watchers.splice(0, 3)
    await Promise.all(theirs.map((watcher) => watcher.until(({ version }) => version === document.version)))
    for (const { job } of theirs) expect(job).toEqual(document)
    expect(theirs[1]?.opened).toBeGreaterThan(3)
    expect(told.size).toBeGreaterThan(10)
    await Promise.all(theirs.map((watcher) => watcher.stop()))
  }
}, 60_000)

describe('of three nodes', () => {
  test('any is asked to cancel, and the producer on another hears of it with its next receipt; watchers at once', async () => {
    const [asked, produced, watched] = await clients('ada')
    const { id } = await produced.create()
    await produced.publish(id, { type: 'status', status: 'running' })
    await using stream = await watched.stream(`api/jobs/${id}/progress`)
    expect((await stream.next())?.data.cancelRequested).toBe(false)
    await asked.operate(id, 'cancel')
    expect((await stream.next())?.data).toMatchObject({ type: 'control', cancelRequested: true })
    const receipt = await produced.publish(id, { type: 'progress', done: 1 })
    expect(receipt).toMatchObject({ version: 4, cancelRequested: true, watched: true })
    await produced.publish(id, { type: 'status', status: 'cancelled' })
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'end', data: { reason: 'cancelled' } })
    expect((await asked.refusal('POST', `api/jobs/${id}/cancel`)).status).toBe(409)
  })

  test('any is asked to pause and to cancel, and pushes it to the WebSocket of a producer on another, which lost its subscriptions between', async () => {
    const [asked] = await clients('ada')
    const { id } = await asked.create()
    await asked.publish(id, { type: 'status', status: 'running' })
    const socket = await ReportClient.open(nodes[1].url, { authorization: `Bearer ${await accessToken('ada')}` })
    expect(await socket.ask({ n: 1, job: id, events: [{ type: 'progress', done: 1 }] })).toMatchObject({ version: 3 })
    await asked.operate(id, 'pause')
    expect(await socket.next()).toMatchObject({ job: id, pauseRequested: true, cancelRequested: false })
    const probes = async () => (await redis.command('PUBSUB', 'SHARDCHANNELS', '*probe*')).split('\n')
    const before = await probes()
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => asked.operate(id, 'cancel'))
    expect(await socket.next()).toMatchObject({ job: id, cancelRequested: true })
    await socket.close()
    // Each node has noticed, and connected again.
    await eventually(async () => {
      const after = await probes()
      expect([after.length, after.filter((probe) => before.includes(probe))]).toEqual([nodes.length, []])
    })
    await allReady()
  })

  test('all count the live jobs of a principal together', async () => {
    const theirs = await clients(unique('many'))
    const made = await Promise.all(
      Array.from({ length: 3 * LIVE_JOBS }, (_, index) =>
        theirs[index % 3]?.request('POST', 'api/jobs', { kind: 'test', title: 'Test' }),
      ),
    )
    const statuses = made.map((answer) => answer?.status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(LIVE_JOBS)
    expect(statuses.filter((status) => status === 429)).toHaveLength(2 * LIVE_JOBS)
  })

  test.concurrent('one alone signs a browser in by a link', async () => {
    const link = await signInLink(nodes[0].url, { sub: unique('guest') })
    const path = new URL(link).pathname + new URL(link).search
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => fetch(new URL(path, urls()[index % 3]), { redirect: 'manual' })),
    )
    expect(answers.filter(({ headers }) => headers.has('set-cookie'))).toHaveLength(1)
  })

  test.concurrent('one ends a session: the cookie is refused everywhere, and streams of others end when they ask', async () => {
    const sub = unique('leaver')
    const [ada] = await clients(sub)
    const { id } = await ada.create()
    const browser = await signIn(nodes[0].url, sub)
    const [first, , last] = nodes.map(({ url }) => new ApiClient(url)) as [ApiClient, ApiClient, ApiClient]
    const streams = await Promise.all([
      first.stream(`api/jobs/${id}/progress`, browser),
      last.stream(`api/jobs/${id}/progress`, browser),
      last.stream('api/progress', browser),
    ])
    for (const stream of streams) expect((await stream.next())?.event).toBe('snapshot')
    expect((await first.request('POST', 'sign-out', undefined, browser)).status).toBe(303)
    const ends = await Promise.all(streams.map(async (stream) => (await stream.rest()).at(-1)?.data.reason))
    expect(ends).toEqual(['token-expired', 'token-expired', undefined])
    for (const { url } of nodes) {
      await eventually(async () =>
        expect((await new ApiClient(url).request('GET', 'api/jobs', undefined, browser)).status).toBe(401),
      )
    }
  }, 60_000)

  test.concurrent("one ends a job's tokens: the others refuse them from then on, and end their streams", async () => {
    const [ending, watched, published] = await clients('ada')
    const { id } = await ending.create()
    const [watch, publish] = [await ending.share(id), await ending.share(id, { can: 'publish' })]
    const guest = new ApiClient(watched ? nodes[1].url : '', watch.token)
    const producer = new ApiClient(published ? nodes[2].url : '', publish.token)
    await using stream = await guest.stream(`api/jobs/${id}/progress`)
    expect((await stream.next())?.event).toBe('snapshot')
    await producer.publish(id, { type: 'progress', done: 1 })
    expect((await ending.request('DELETE', `api/jobs/${id}/tokens`)).status).toBe(204)
    expect((await producer.refusal('POST', `api/jobs/${id}/events`, [{ type: 'progress', done: 2 }])).status).toBe(401)
    expect((await guest.refusal('GET', `api/jobs/${id}`)).status).toBe(401)
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'end', data: { reason: 'token-expired' } })
    expect((await ending.read(id)).progress.done).toBe(1)
  })

  test.concurrent('one ends a job that is due, once', async () => {
    const [ada, , other] = await clients('ada')
    const { id } = await ada.create({ timeoutSeconds: 1 })
    await using stream = await other.stream(`api/jobs/${id}/progress`)
    const messages = await stream.rest()
    expect(messages.map(({ event }) => event)).toEqual(['snapshot', 'status', 'end'])
    expect((await ada.read(id)).version).toBe(2)
  }, 60_000)

  test('those whose store is emptied end the streams of its jobs, and take new ones', async () => {
    const [ada, , other] = await clients('ada')
    const { id } = await ada.create()
    await using stream = await other.stream(`api/jobs/${id}/progress`)
    expect((await stream.next())?.event).toBe('snapshot')
    await redis.command('FLUSHALL')
    expect((await ada.refusal('POST', `api/jobs/${id}/events`, [{ type: 'progress', done: 1 }])).status).toBe(404)
    expect((await stream.rest()).at(-1)).toMatchObject({ event: 'end', data: { reason: 'deleted' } })
    const { version } = await ada.create({ id })
    expect(version).toBe(1)
  })
})
