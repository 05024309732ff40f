import { describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { signedHeaders, webhookSecret } from '../../../../server/webhooks/signature.ts'
import type { WebhookRequest, WebhookTransport } from '../../../../server/webhooks/transport.ts'
import type { UndeliveredList } from '../../../../shared/wire/webhooks.ts'
import { TestApp } from '../../../support/test-app.ts'
import { virtualToken } from '../../../support/tokens.ts'
import { settle } from '../../../virtual-clock.ts'

const HOUR = 3_600_000
const completed = { type: 'status', status: 'completed' } as const
const failed = { type: 'status', status: 'failed' } as const

/** Receivers as a test wants them, by host. What runtimes send is tested with real ones. */
class FakeTransport implements WebhookTransport {
  readonly requests: WebhookRequest[] = []
  /** Addresses by host name: a public one unless it says otherwise. */
  readonly addresses: Record<string, string[]> = {}
  respond: (request: WebhookRequest) => number | Promise<number> = () => 204
  #wake = Promise.withResolvers<void>()

  async resolve(hostname: string): Promise<string[]> {
    return this.addresses[hostname] ?? ['93.184.215.14']
  }

  async post(request: WebhookRequest): Promise<number> {
    this.requests.push(request)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
    return this.respond(request)
  }

  /** Resolves once so many requests have come: signing them takes real time. */
  async has(count: number): Promise<void> {
    while (this.requests.length < count) await this.#wake.promise
    // Until what follows the response is stored.
    for (let turn = 0; turn < 20; turn++) await settle()
  }

  idsOf = (host: string) =>
    this.requests.filter(({ url }) => url.host === host).map(({ headers }) => headers['webhook-id'])
}

function start(options: ConstructorParameters<typeof TestApp>[0] = {}) {
  const transport = new FakeTransport()
  const app = new TestApp({ webhooks: { transport }, ...options })
  return { transport, app }
}

async function undeliveredOf(app: TestApp, tenant?: string): Promise<UndeliveredList['undelivered']> {
  const authorization = `Bearer ${await virtualToken('root', 'jobs:admin', { tenant })}`
  const response = await app.request('GET', '/api/webhooks/undelivered', undefined, { authorization })
  return ((await response.json()) as UndeliveredList).undelivered
}

/** Moves time on until the next attempt has begun. Not further: it is given up after 15 s, and signing takes real time. */
async function nextAttempt(app: TestApp, id: string): Promise<void> {
  const [{ at = 0 } = {}] = (await deliveriesOf(app, id)) ?? []
  await app.clock.advance(at - app.clock.now() + 6_000)
}

const deliveriesOf = async (app: TestApp, id: string) => (await app.engine.read(id))?.marks.deliveries

describe('Webhooks', () => {
  test('a URL that is named twice gets each webhook once', async () => {
    const transport = new FakeTransport()
    const app = new TestApp({ webhooks: { transport, urls: ['https://ops.example/', 'https://ops.example/'] } })
    const { id } = await app.create({ notify: ['https://hook.example/', 'https://hook.example/'] })
    await app.publish(id, completed)
    expect((await deliveriesOf(app, id))?.map(({ url }) => url)).toEqual([
      'https://ops.example/',
      'https://hook.example/',
    ])
    await app.clock.advance(1_000)
    await transport.has(2)
    await app.clock.advance(HOUR)
    expect(transport.requests).toHaveLength(2)
  })

  test('a receiver that is away for ten hours gets its webhook when it is back, under the same id, and no job is removed before', async () => {
    const { app, transport } = start({ retentionSeconds: 60 })
    const { id } = await app.create({ notify: ['https://away.example/hook'] })
    transport.respond = () => Promise.reject(new Error('nobody is there'))
    await app.publish(id, completed)
    const began = app.clock.now()
    await app.clock.advance(200)
    await transport.has(1)
    const waits: number[] = []
    while (app.clock.now() - began < 10 * HOUR) {
      const [{ at = 0, tries = 0 } = {}] = (await deliveriesOf(app, id)) ?? []
      expect(tries).toBe(transport.requests.length)
      waits.push(at - app.clock.now())
      await nextAttempt(app, id)
      await transport.has(tries + 1)
    }
    expect(waits[0]).toBeWithin(23_000, 37_000)
    for (const [index, wait] of waits.slice(1).entries()) expect(wait).toBeGreaterThan(waits[index] ?? 0)
    expect((await app.document(id)).status).toBe('completed')
    transport.respond = () => 200
    await nextAttempt(app, id)
    await transport.has(waits.length + 2)
    expect(await deliveriesOf(app, id)).toBeUndefined()
    await app.clock.advance(20_000)
    expect(await app.engine.read(id)).toBeUndefined()
    expect(new Set(transport.idsOf('away.example')).size).toBe(1)
    expect(await undeliveredOf(app)).toEqual([])
    expect(app.errors).toEqual([])
  })

  test('a webhook that fails for a day is given up, and listed; sent again, it is tried like a new one', async () => {
    const { app, transport } = start()
    const { id } = await app.create({ notify: ['https://broken.example/'] })
    transport.respond = () => 500
    await app.publish(id, failed)
    const began = app.clock.now()
    await app.clock.advance(200)
    for (let tries = 1; ; tries++) {
      await transport.has(tries)
      if ((await deliveriesOf(app, id)) === undefined) break
      await nextAttempt(app, id)
    }
    expect(app.clock.now() - began).toBeWithin(18 * HOUR, 30 * HOUR)
    const [letter, ...others] = await undeliveredOf(app)
    expect([letter, others]).toMatchObject([{ job: id, tries: 13, reason: 'status 500', type: 'job.failed' }, []])
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    const send = () => app.request('POST', `/api/webhooks/undelivered/${letter?.id}/send`, undefined, { authorization })
    expect((await send()).status).toBe(202)
    await app.clock.advance(200)
    await transport.has(14)
    expect(await deliveriesOf(app, id)).toMatchObject([{ tries: 1 }])
    expect([await undeliveredOf(app), (await send()).status]).toEqual([[], 404])
  })

  test('a webhook whose job was removed can not be sent again, and says so', async () => {
    const { app, transport } = start()
    const { id } = await app.create({ notify: ['https://gone.example/'] })
    transport.respond = () => 410
    await app.publish(id, failed)
    await app.clock.advance(200)
    await transport.has(1)
    const [letter] = await undeliveredOf(app)
    await app.request('DELETE', `/api/jobs/${id}`)
    const authorization = `Bearer ${await virtualToken('root', 'jobs:admin')}`
    const path = `/api/webhooks/undelivered/${letter?.id}/send`
    const response = await app.request('POST', path, undefined, { authorization })
    expect([response.status, await response.json()]).toMatchObject([
      409,
      { detail: expect.stringContaining('removed') },
    ])
  })

  test('the URLs of the settings are not shown to the administrators of a tenant, whose jobs are told to them', async () => {
    const transport = new FakeTransport()
    const app = new TestApp({ webhooks: { transport, urls: ['https://ops.example/secret'] } })
    const authorization = `Bearer ${await virtualToken('ada', undefined, { tenant: 'acme' })}`
    const body = { id: 'export', kind: 'test', title: 'Test', notify: ['https://hook.example/'] }
    await app.request('POST', '/api/jobs', body, { authorization })
    transport.respond = () => 410
    await app.request('POST', '/api/jobs/export/cancel', undefined, { authorization })
    await app.clock.advance(200)
    await transport.has(2)
    while ((await undeliveredOf(app)).length < 2 || (await undeliveredOf(app, 'acme')).length < 1) await settle()
    for (let turn = 0; turn < 20; turn++) await settle()
    expect((await undeliveredOf(app, 'acme')).map(({ url }) => url)).toEqual(['https://hook.example/'])
  })

  test('a hundred jobs that end at once are all told, four at once to one host, and another host does not wait for a slow one', async () => {
    const { app, transport } = start()
    const open = new Set<() => void>()
    let most = 0
    transport.respond = async ({ url }) => {
      if (url.host === 'quick.example') return 204
      const { promise, resolve } = Promise.withResolvers<void>()
      open.add(resolve)
      most = Math.max(most, open.size)
      await promise
      open.delete(resolve)
      return 204
    }
    const ids: string[] = []
    for (let n = 0; n < 100; n++) ids.push((await app.create({ notify: ['https://slow.example/'] })).id)
    const quick = await app.create({ notify: ['https://quick.example/'] })
    await Promise.all([...ids, quick.id].map((id) => app.publish(id, completed)))
    await app.clock.advance(200)
    await transport.has(5)
    expect(transport.idsOf('quick.example')).toHaveLength(1)
    while (transport.idsOf('slow.example').length < 100) {
      const count = transport.requests.length
      const [first] = open
      first?.()
      await transport.has(count + 1)
    }
    for (const resolve of open) resolve()
    expect([most, new Set(transport.idsOf('slow.example')).size]).toEqual([4, 100])
  })

  test('a job that can not be read does not keep the webhooks of others, and is told once', async () => {
    const { app, transport } = start()
    const damaged = await app.create({ notify: ['https://damaged.example/'] })
    await app.publish(damaged.id, completed)
    for (let n = 0; n < 40; n++) {
      const { id } = await app.create({ notify: ['https://other.example/'] })
      await app.publish(id, completed)
    }
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (id) => {
      if (id === damaged.id) throw new Error('The job is damaged')
      return read(id)
    }
    await app.clock.advance(200)
    await transport.has(40)
    await app.clock.advance(20_000)
    expect(app.errors).toEqual([new Error('The job is damaged')])
  })

  test('a name that leads to a private address is told nothing, also when it led elsewhere before; one that leads to several, over a public one', async () => {
    const { app, transport } = start()
    const end = async (host: string) => {
      const { id } = await app.create({ notify: [`https://${host}/`] })
      await app.publish(id, completed)
      await app.clock.advance(5_000)
      return id
    }
    transport.addresses['mixed.example'] = ['10.0.0.7', '2606:2800:21f::1']
    await end('mixed.example')
    await transport.has(1)
    expect(transport.requests[0]).toMatchObject({ address: '2606:2800:21f::1' })
    for (const address of [
      '127.0.0.1',
      '10.0.0.7',
      '169.254.169.254',
      '::1',
      '::ffff:10.0.0.7',
      'fd00::7',
      'nonsense',
    ]) {
      transport.addresses['rebound.example'] = [address]
      const id = await end('rebound.example')
      while ((await deliveriesOf(app, id))?.[0]?.tries !== 1) await settle()
    }
    expect(transport.idsOf('rebound.example')).toEqual([])
  })

  test('an allowed network is told without encryption, and the URLs of the settings wherever they lead', async () => {
    const transport = new FakeTransport()
    const webhooks = { transport, networks: ['10.0.0.0/8'], urls: ['http://settings.example/'] }
    const { app } = start({ webhooks })
    transport.addresses['inside.example'] = ['10.1.2.3']
    transport.addresses['settings.example'] = ['192.168.0.9']
    const { id } = await app.create({ notify: ['http://inside.example/', 'http://settings.example/'] })
    await app.publish(id, completed)
    await app.clock.advance(200)
    await transport.has(2)
    const sent = transport.requests.map(({ url, address }) => [url.host, address])
    expect(sent.toSorted()).toEqual([
      ['inside.example', '10.1.2.3'],
      ['settings.example', '192.168.0.9'],
    ])
    transport.addresses['outside.example'] = ['93.184.215.14']
    const other = await app.create({ notify: ['http://outside.example/'] })
    await app.publish(other.id, completed)
    await app.clock.advance(5_000)
    await transport.has(3)
    expect(transport.idsOf('outside.example')).toEqual([])
  })

  test('an attempt that takes longer than 15 s is given up', async () => {
    const { app, transport } = start()
    transport.respond = () => Promise.withResolvers<number>().promise
    const { id } = await app.create({ notify: ['https://slow.example/'] })
    await app.publish(id, completed)
    await app.clock.advance(200)
    await transport.has(1)
    expect(transport.requests[0]?.signal.aborted).toBe(false)
    await app.clock.advance(15_000)
    expect(transport.requests[0]?.signal.aborted).toBe(true)
    await nextAttempt(app, id)
    await transport.has(2)
  })

  test('an ask is told once, and the newest 20 of those that a receiver has missed', async () => {
    const { app, transport } = start()
    const { id } = await app.create({ notify: ['https://asked.example/'] })
    transport.respond = () => 500
    const ask = (n: number) => ({ type: 'ask', id: `ask ${n}`, message: `Go on, ${n}?` }) as const
    await app.publish(id, { type: 'status', status: 'running' }, ask(0), ask(0))
    await app.clock.advance(200)
    await transport.has(1)
    const { data } = JSON.parse(transport.requests[0]?.body ?? '')
    expect(data).toMatchObject({ job: { id, openAsks: 1 }, ask: { id: 'ask 0', message: 'Go on, 0?' } })
    expect(data.job).not.toHaveProperty('asks')
    for (let n = 1; n < 25; n++) {
      await app.publish(id, ask(n))
      const path = `/api/jobs/${id}/answers/${encodeURIComponent(`ask ${n}`)}`
      expect((await app.request('POST', path, { value: true })).status).toBe(202)
    }
    const asked = (await deliveriesOf(app, id))?.map(({ ask }) => ask)
    expect(asked).toEqual(Array.from({ length: 20 }, (_, n) => `ask ${n + 5}`))
    await app.publish(id, completed)
    expect((await deliveriesOf(app, id))?.map(({ type }) => type).slice(-2)).toEqual(['job.asked', 'job.completed'])
  })

  test('a job has no notify where the server can not check where it leads, as with fetch', async () => {
    const app = new TestApp({ webhooks: { urls: ['https://settings.example/'] } })
    const body = { kind: 'test', title: 'Test', notify: ['https://receiver.example/'] }
    const response = await app.request('POST', '/api/jobs', body)
    expect([response.status, await response.json()]).toMatchObject([422, { errors: [{ field: 'notify.0' }] }])
  })

  test('a signature is valid by a new secret and by the one before', async () => {
    const [old, young] = ['x'.repeat(32), 'y'.repeat(32)]
    const message = { id: 'msg_1', sentAt: Math.floor(Date.now() / 1_000), body: '{"ü":1}' }
    const headers = await signedHeaders([young, old], 'ada', message)
    for (const secrets of [[young], [old], [young, old]]) {
      expect(new Webhook(await webhookSecret(secrets, 'ada')).verify(message.body, headers)).toEqual({ ü: 1 })
    }
    const wrong = new Webhook(await webhookSecret([old], 'eve'))
    expect(() => wrong.verify(message.body, headers)).toThrow()
  })
})
