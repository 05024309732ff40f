import { describe, expect, test } from 'bun:test'
import { createReporter } from '../../../../../client/producer/reporter.ts'
import type { Principal } from '../../../../../server/auth/access.ts'
import { ProblemError } from '../../../../../server/errors.ts'
import { ACCOUNTS, Rates } from '../../../../../server/http/request/rates.ts'
import { defaultLimits, type Limits } from '../../../../../shared/document/limits.ts'
import { SeededRandom } from '../../../../seeded-random.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'

const ada: Principal = { sub: 'ada', scopes: ['jobs:write'] }
const bob: Principal = { sub: 'bob', scopes: ['jobs:admin'] }
const guest = (job: string): Principal => ({
  sub: 'ada',
  scopes: [],
  jobs: [{ job, epoch: 'e1', can: 'watch', series: 0, expiresAt: 1 }],
})

function ratesOf(limits: Partial<Limits>) {
  const clock = new VirtualClock()
  return { clock, rates: new Rates(clock, { ...defaultLimits, ...limits }) }
}

/** How many of so many pass, and the headers of the first refusal. */
function passing(count: number, take: () => void): [passed: number, headers?: Readonly<Record<string, string>>] {
  let passed = 0
  for (; passed < count; passed++) {
    try {
      take()
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      return [passed, error.headers]
    }
  }
  return [passed]
}

describe('Rates', () => {
  test('a burst of some seconds passes at once, and then the rate per second', async () => {
    const { clock, rates } = ratesOf({ createsPerSecond: 2 })
    const create = () => rates.take(ada, 'createsPerSecond')
    expect(passing(100, create)[0]).toBe(20)
    await clock.advance(1_000)
    expect(passing(100, create)[0]).toBe(2)
    await clock.advance(3_600_000)
    expect(passing(100, create)[0]).toBe(20)
  })

  test('each principal has its own buckets, an admin too; rates are independent', () => {
    const { rates } = ratesOf({ createsPerSecond: 1, tokensPerSecond: 1 })
    expect(passing(100, () => rates.take(ada, 'createsPerSecond'))[0]).toBe(10)
    expect(passing(100, () => rates.take(ada, 'tokensPerSecond'))[0]).toBe(10)
    expect(passing(100, () => rates.take(bob, 'createsPerSecond'))[0]).toBe(10)
  })

  test('requests with a watch token count against their job alone', () => {
    const { rates } = ratesOf({ requestsPerSecond: 1 })
    expect(passing(100, () => rates.take(guest('a'), 'requestsPerSecond'))[0]).toBe(10)
    expect(passing(100, () => rates.take(guest('b'), 'requestsPerSecond'))[0]).toBe(10)
    expect(passing(100, () => rates.take(ada, 'requestsPerSecond'))[0]).toBe(10)
  })

  test('a body larger than the rate passes, and later requests wait for it', async () => {
    const { clock, rates } = ratesOf({ publishBytesPerSecond: 100 })
    const publish = () => rates.takePublish(ada, 1_000)
    expect(passing(2, publish)).toEqual([
      1,
      {
        'retry-after': '8',
        'ratelimit-policy': '"publishBytesPerSecond";q=200;qu="content-bytes";w=2',
        ratelimit: '"publishBytesPerSecond";r=0;t=8',
      },
    ])
    await clock.advance(8_001)
    expect(passing(2, publish)[0]).toBe(1)
  })

  test('strangers are counted by address, in IPv6 by /64, and without an address not at all', () => {
    const { rates } = ratesOf({ strangersPerSecond: 1 })
    const ask = (address: string | undefined) => passing(100, () => rates.takeStranger(address))[0]
    expect([ask('192.0.2.1'), ask('192.0.2.2'), ask('192.0.2.1'), ask('::ffff:192.0.2.3')]).toEqual([4, 4, 0, 4])
    expect([ask('2001:db8::1'), ask('2001:db8::2'), ask('2001:db8:0:1::1'), ask(undefined)]).toEqual([4, 0, 4, 100])
  })

  test('strangers are the same in every form of their IPv4 address', () => {
    const { rates } = ratesOf({ strangersPerSecond: 1 })
    const ask = (address: string) => passing(100, () => rates.takeStranger(address))[0]
    expect(['7.7.3.7', '::ffff:7.7.3.7', '::ffff:0707:0307', '::FFFF:707:307'].map(ask)).toEqual([4, 0, 0, 0])
  })

  test('strangers with any number of addresses evict only each other', () => {
    const { rates } = ratesOf({ strangersPerSecond: 1, createsPerSecond: 1 })
    passing(100, () => rates.take(ada, 'createsPerSecond'))
    passing(100, () => rates.takeStranger('10.9.9.9'))
    // Whoever asked lately has a second chance.
    for (let number = 0; number < 2 * ACCOUNTS; number++) rates.takeStranger(`10.1.${number >> 8}.${number & 255}`)
    expect(passing(100, () => rates.take(ada, 'createsPerSecond'))[0]).toBe(0)
    expect(passing(100, () => rates.takeStranger('10.9.9.9'))[0]).toBe(4)
  })
})

/** An app with few of everything, and the status of each of so many requests. */
function limited(limits: Partial<Limits>) {
  const subject = new TestApp({ limits, addressOf: (request) => request.headers.get('x-address') ?? undefined })
  const statuses = async (count: number, ask: () => Promise<Response> | Response): Promise<number[]> => {
    const all: number[] = []
    for (let asked = 0; asked < count; asked++) all.push((await ask()).status)
    return all
  }
  return { subject, statuses }
}

describe('the app over its limits', () => {
  test('a 429 names its limit and the time to wait', async () => {
    const { subject, statuses } = limited({ createsPerSecond: 1 })
    const create = () => subject.request('POST', '/api/jobs', { kind: 'test', title: 'Test' })
    expect(await statuses(10, create)).toEqual(Array.from({ length: 10 }, () => 201))
    const refused = await create()
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('ratelimit-policy')).toBe('"createsPerSecond";q=10;w=10')
    expect(refused.headers.get('ratelimit')).toBe('"createsPerSecond";r=0;t=1')
    expect(await refused.json()).toEqual({
      type: 'urn:milepost:too-many',
      status: 429,
      title: 'Too many',
      detail: 'Too many new jobs: at most 1 a second, and 10 at once. Wait as long as Retry-After says.',
      limit: 'createsPerSecond',
    })
  })

  test('publishes, tokens, services and other requests each meet their own limit, of an admin too', async () => {
    const { subject, statuses } = limited({
      publishesPerSecond: 1,
      tokensPerSecond: 1,
      servicesPerSecond: 1,
      requestsPerSecond: 10,
    })
    const { id } = await subject.create()
    const authorization = `Bearer ${await virtualToken('ada', 'jobs:read jobs:write jobs:admin')}`
    const ask = (method: string, path: string, body?: unknown) => () =>
      subject.request(method, path, body, { authorization })
    const publish = ask('POST', `/api/jobs/${id}/events`, { type: 'progress', done: 1 })
    expect(await statuses(3, publish)).toEqual([200, 200, 429])
    const tokens = await statuses(11, ask('POST', `/api/jobs/${id}/tokens`, {}))
    expect([tokens.at(-2), tokens.at(-1)]).toEqual([201, 429])
    expect((await statuses(11, ask('POST', '/api/sign-in-links', { sub: 'bob' }))).at(-1)).toBe(429)
    expect((await statuses(11, ask('POST', '/api/services/none'))).at(-1)).toBe(429)
    expect((await statuses(80, ask('GET', `/api/jobs/${id}`))).at(-1)).toBe(429)
    const metrics = await (await ask('GET', '/metrics')()).text()
    const counted = [...metrics.matchAll(/milepost_limited_total\{limit="(\w+)"\} (\d+)/g)].map(([, limit]) => limit)
    expect(counted).toEqual(['publishesPerSecond', 'tokensPerSecond', 'servicesPerSecond', 'requestsPerSecond'])
  })

  test('strangers get 429 instead of 401 by their address; signed-in clients of the address do not', async () => {
    const { subject, statuses } = limited({ strangersPerSecond: 1 })
    const stranger = (path: string, address: string) => () =>
      subject.app.request(path, { headers: { 'x-address': address, authorization: 'Bearer a.b.c' } })
    expect(await statuses(5, stranger('/api/jobs', '192.0.2.1'))).toEqual([401, 401, 401, 401, 429])
    expect(await statuses(1, stranger('/metrics', '192.0.2.1'))).toEqual([429])
    expect(await statuses(1, stranger('/api/jobs', '192.0.2.2'))).toEqual([401])
    expect(
      await statuses(1, () => subject.request('GET', '/api/jobs', undefined, { 'x-address': '192.0.2.1' })),
    ).toEqual([200])
  })

  test('a stream of several jobs counts as many requests, and one of a single job as one', async () => {
    const { subject, statuses } = limited({ requestsPerSecond: 1 })
    for (const id of ['a', 'b']) await subject.create({ id })
    await subject.clock.advance(10_000)
    const one = () => subject.request('HEAD', '/api/progress?job=a')
    expect(await statuses(11, one)).toEqual([...Array(10).fill(200), 429])
    await subject.clock.advance(10_000)
    const two = () => subject.request('HEAD', '/api/progress?job=a&job=b')
    expect(await statuses(6, two)).toEqual([...Array(5).fill(200), 429])
  })

  test('sign-in attempts are counted before they are checked', async () => {
    const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }
    const subject = new TestApp({ assets, limits: { strangersPerSecond: 1 }, addressOf: () => '192.0.2.1' })
    const signIn = (code: string) => subject.app.request(`/sign-in?code=${code}`)
    for (let tried = 0; tried < 4; tried++) expect((await signIn('none')).status).toBe(401)
    const code = subject.app.createSignInCode({ sub: 'ada', scopes: [] })
    expect((await signIn(code)).status).toBe(429)
    await subject.clock.advance(1_001)
    expect((await signIn(code)).status).toBe(303)
  })

  test('a reporter over a limit waits as Retry-After says, and loses nothing', async () => {
    const { subject } = limited({ publishesPerSecond: 1, createsPerSecond: 1 })
    for (let made = 0; made < 10; made++) await subject.create()
    const statuses: number[] = []
    const reporter = createReporter({
      url: 'http://localhost',
      token: await subject.token,
      clock: subject.clock,
      random: new SeededRandom(2),
      fetch: async (url, init) => {
        const response = await subject.app.request(url, init)
        statuses.push(response.status)
        return response
      },
    })
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    const lines = Array.from({ length: 100 }, (_, line) => `line ${line}`)
    for (const message of lines) {
      job.log({ message })
      await subject.clock.advance(300)
    }
    // Of what a request waits for besides time, digests and signatures, the clock knows nothing.
    const told = async () => (await subject.engine.read(job.id))?.header.logCount ?? 0
    while ((await told()) < lines.length) await subject.clock.advance(1_000)
    expect(statuses).toContain(429)
    expect((await subject.document(job.id)).logs.map(({ message }) => message)).toEqual(lines)
    expect(job.dropped).toBe(0)
    await reporter.close()
  })
})

describe('POST /api/jobs/:id/events', () => {
  test('POST /api/jobs/:id/events counts no more bytes than it would read: a length that a guest makes up locks nobody out', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const made = await app.request('POST', `/api/jobs/${id}/tokens`, { can: 'publish' })
    const { token } = (await made.json()) as { token: string }
    const guest = { authorization: `Bearer ${token}` }
    for (const length of ['999999999999', '99999999999999999999999', 'Infinity', '-1', 'x']) {
      const headers = { ...guest, 'content-length': length }
      const refused = await app.request('POST', `/api/jobs/${id}/events`, { type: 'progress', done: 1 }, headers)
      expect([length, refused.status]).toEqual([length, ['-1', 'x'].includes(length) ? 200 : 413])
    }
    expect((await app.publish(id, { type: 'progress', done: 2 })).status).toBe(200)
  })

  test('POST /api/jobs/:id/events counts the bytes of a body without Content-Length, not its characters', async () => {
    const app = new TestApp({ limits: { publishBytesPerSecond: 1_000 } })
    const { id } = await app.create()
    const authorization = `Bearer ${await app.token}`
    const publish = (text: string) => {
      const headers = { authorization, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
      return app.app.request(`/api/jobs/${id}/events`, { method: 'POST', headers, body: new Response(text).body })
    }
    const event = { type: 'log', message: '漢'.repeat(1_000) }
    const text = JSON.stringify(event)
    expect([text.length, new TextEncoder().encode(text).length]).toEqual([1_027, 3_027])
    expect((await publish(text)).status).toBe(200)
    const refused = await publish(text)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '2'])
  })
})
