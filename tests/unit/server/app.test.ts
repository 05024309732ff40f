import { describe, expect, test } from 'bun:test'
import { createApp } from '../../../server/app.ts'
import { MemoryEngine } from '../../../server/engines/memory.ts'
import { problems, refuse } from '../../../server/errors.ts'
import { openStandardStream } from '../../../server/hub/stream/stream.ts'
import type { JobControl } from '../../../server/jobs/emitter.ts'
import type { JobHeader } from '../../../shared/document/job.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import { TestApp } from '../../support/test-app.ts'
import { SECRET, virtualToken } from '../../support/tokens.ts'
import { settle } from '../../virtual-clock.ts'

const running = { type: 'status', status: 'running' } as const

describe('createApp', () => {
  test('createApp refuses a secret that is too short', () => {
    expect(() => createApp({ engine: new MemoryEngine(), auth: { secret: 'short' } })).toThrow(TypeError)
  })

  test('createApp refuses an identity provider that is asked without TLS', () => {
    const engine = new MemoryEngine()
    const [url, issuer] = ['http://id.example/jwks', 'http://id.example']
    const jwks = { secret: SECRET, jwks: { url }, issuer, audience: 'progress' }
    expect(() => createApp({ engine, auth: jwks })).toThrow(
      new TypeError('The keys of an identity provider need an https URL, not "http://id.example/jwks"'),
    )
    const oidc = { issuer, clientId: 'milepost', clientSecret: 'secret' }
    expect(() => createApp({ engine, auth: { secret: SECRET }, oidc })).toThrow(
      new TypeError('An OpenID provider needs an https URL, not "http://id.example"'),
    )
  })

  test('createApp returns 503 with Retry-After while the engine is unavailable, and says what that means for the request', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    app.engine.apply = () => Promise.reject(refuse(problems.unavailable()))
    app.engine.watch = () => Promise.reject(refuse(problems.unavailable()))
    for (const response of [await app.publish(id, running), await app.request('GET', `/api/jobs/${id}/progress`)]) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2'])
      expect(await response.json()).toEqual({
        type: 'urn:milepost:unavailable',
        status: 503,
        title: 'Unavailable',
        detail: problems.unavailable().detail,
      })
    }
    expect(app.errors).toEqual([])
    expect(app.app.hub.open).toEqual({ streams: 0, channels: 0 })
  })

  test('createApp is alive but not ready while the engine is unavailable', async () => {
    const app = new TestApp()
    for (const failure of [new Error('SQLITE_IOERR'), refuse(problems.unavailable())]) {
      app.engine.check = () => Promise.reject(failure)
      const ready = await app.request('GET', '/readyz')
      expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '2'])
      expect(await ready.text()).not.toContain('SQLITE')
      expect((await app.request('GET', '/healthz')).status).toBe(200)
      await app.clock.advance(1_000)
    }
  })

  test('GET /readyz checks the engine at most once a second, for all clients and outcomes', async () => {
    const app = new TestApp()
    const ask = () => app.request('GET', '/readyz').then(({ status }) => status)
    let asked = 0
    const slowly = Promise.withResolvers<void>()
    let answer = () => slowly.promise
    app.engine.check = () => {
      asked += 1
      return answer()
    }
    const slow = [ask(), ask()]
    while (asked === 0) await settle()
    await app.clock.advance(5_000)
    slow.push(ask())
    await settle()
    slowly.resolve()
    expect([await Promise.all(slow), asked]).toEqual([[200, 200, 200], 1])
    answer = () => Promise.reject(new Error('SQLITE_IOERR'))
    expect([await ask(), await ask(), asked, app.errors.length]).toEqual([503, 503, 2, 1])
    await app.clock.advance(999)
    expect([await ask(), asked]).toEqual([503, 2])
    answer = () => Promise.resolve()
    await app.clock.advance(1)
    expect([await ask(), await ask(), asked]).toEqual([200, 200, 3])
  })

  test('GET /readyz reports to the operator in a line when the store fails, and when it is back', async () => {
    const app = new TestApp()
    const ask = async () => {
      await app.request('GET', '/readyz')
      await app.clock.advance(1_000)
    }
    await ask()
    app.engine.check = () => Promise.reject(new Error('disk I/O error\n    at somewhere'))
    for (let asked = 0; asked < 3; asked++) await ask()
    app.engine.check = () => Promise.resolve()
    for (let asked = 0; asked < 3; asked++) await ask()
    app.engine.check = () => Promise.reject('gone')
    await ask()
    expect(app.errors).toEqual([
      'The store does not answer, and /readyz fails until it does: disk I/O error',
      'The store answers again.',
      'The store does not answer, and /readyz fails until it does: gone',
    ])
  })

  test('polls are dated by the trusted clock, whatever the wall clock is set to', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    app.clock.step(7_200_000)
    await app.clock.advance(3_000)
    for (const path of ['/api/jobs', `/api/jobs/${id}`])
      expect((await app.request('GET', path)).headers.get('date')).toBe('Thu, 01 Jan 2026 00:00:03 GMT')
  })

  test('createApp reports an internal failure to the operator only', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const failure = new Error('no such table: secret_table')
    app.engine.apply = () => Promise.reject(failure)
    const response = await app.publish(id, running)
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      type: 'urn:milepost:internal',
      status: 500,
      title: 'Server error',
      detail: 'The server failed on this request and acknowledged nothing. Try again.',
    })
    expect(app.errors).toEqual([failure])
  })

  test('createApp applies the lower limits of its engine', async () => {
    const engine = Object.assign(new MemoryEngine(), { limits: { batchEvents: 2 } })
    const app = new TestApp({ engine })
    const { id } = await app.create()
    const response = await app.publish(id, running, running, running)
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({
      detail: 'events: are too many; a batch has at most 2. Send several batches.',
      errors: [{ field: 'events', detail: 'are too many; a batch has at most 2' }],
    })
  })

  test('createApp allows all origins for *, alone or among others, and none by default', async () => {
    const allowed = async (origins?: string[]) => {
      const { app } = new TestApp(origins ? { origins } : {})
      const headers = { origin: 'https://a.example', 'access-control-request-method': 'GET' }
      const response = await app.request('/api/jobs', { method: 'OPTIONS', headers })
      return response.headers.get('access-control-allow-origin')
    }
    expect(await allowed()).toBeNull()
    expect(await allowed([])).toBeNull()
    expect(await allowed(['*'])).toBe('*')
    expect(await allowed(['https://b.example', '*'])).toBe('*')
    expect(await allowed(['https://b.example', 'https://a.example'])).toBe('https://a.example')
  })

  test("createApp uses the runtime's own streams", async () => {
    let opened = 0
    const app = new TestApp({
      openStream: (source) => {
        opened += 1
        return openStandardStream(source)
      },
    })
    const { id } = await app.create()
    const stream = await app.request('GET', `/api/jobs/${id}/progress`)
    await stream.body?.cancel()
    expect(opened).toBe(1)
  })

  test('createApp without assets has no pages', async () => {
    const app = new TestApp()
    for (const path of ['/', '/jobs/x', '/docs', '/widget.js', '/sign-in?code=x'])
      expect((await app.request('GET', path)).status).toBe(404)
  })

  test('close sends queued events, ends all streams without end, and stops all timers', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const stream = await app.request('GET', `/api/jobs/${id}/progress`)
    const text = stream.text()
    await settle()
    app.app.jobs.emit(id, { type: 'progress', done: 7 })
    await app.app.close()
    expect((await app.document(id)).progress.done).toBe(7)
    expect(await text).toMatch(
      /^retry: \d+\nevent: snapshot\n.*\n.*\n\nevent: ping\n.*\n\nevent: progress\n.*\n.*\n\n$/,
    )
    // The turn of the event loop ends, in which the stream was opened.
    await app.clock.advance(0)
    expect([app.app.hub.open, app.clock.pending]).toEqual([{ streams: 0, channels: 0 }, 0])
  })

  test('startService runs a service as a job, and reports its result', async () => {
    const app = new TestApp({
      services: {
        double: { prepare: (form) => ({ kind: 'double', title: 'Twice', run: async () => Number(form.get('n')) * 2 }) },
      },
    })
    const form = new FormData()
    form.set('n', '21')
    const { id, kind, title, owner } = await app.app.startService(
      { sub: 'ada', scopes: ['jobs:write'] },
      'double',
      form,
    )
    await app.clock.advance(1_000)
    expect([kind, title, owner]).toEqual(['double', 'Twice', 'ada'])
    expect(await app.document(id)).toMatchObject({ status: 'completed', result: 42 })
  })
})

describe('POST /api/services/:name', () => {
  const form = (n = '1') => {
    const data = new FormData()
    data.set('n', n)
    return data
  }

  /** An app with a service that goes on until it is told to end, and who starts it. */
  function withService(limits: Partial<Limits> = {}) {
    const ends: (() => void)[] = []
    const run = async (_: string, control: JobControl) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      ends.push(resolve)
      control.signal.addEventListener('abort', () => resolve())
      await promise
      await control.untilResumed()
    }
    const prepare = (data: FormData) => {
      if (data.get('n') === '0') throw refuse(problems.invalid([{ field: 'n', detail: 'is 0' }]))
      return { kind: 'long', title: 'Long', run }
    }
    const app = new TestApp({ services: { long: { prepare } }, limits })
    const start = async (body: BodyInit = form(), sub = 'ada') => {
      const headers = { authorization: `Bearer ${await virtualToken(sub)}` }
      return app.app.request('/api/services/long', { method: 'POST', headers, body })
    }
    return { app, start, ends }
  }

  test('POST /api/services/:name starts four at once for a principal, and reads no upload of a fifth', async () => {
    const { app, start, ends } = withService()
    // What is refused takes no place.
    for (let i = 0; i < 5; i++) expect((await start(form('0'))).status).toBe(422)
    for (let i = 0; i < 5; i++) expect((await start('no form')).status).toBe(415)
    for (let i = 0; i < 4; i++) expect((await start()).status).toBe(202)
    let isRead = false
    const upload = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          isRead = true
          controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    const headers = {
      authorization: `Bearer ${await app.token}`,
      'content-type': 'multipart/form-data; boundary=x',
      'content-length': '1000',
    }
    const fifth = await app.app.request('/api/services/long', { method: 'POST', headers, body: upload })
    expect([fifth.status, fifth.headers.get('retry-after'), isRead]).toEqual([429, '10', false])
    expect((await start(form(), 'bob')).status).toBe(202)
    await app.clock.advance(1_000)
    ends[0]?.()
    await app.clock.advance(1_000)
    expect((await start()).status).toBe(202)
    expect((await start()).status).toBe(429)
  })

  /** Uploads in chunks, which don't say how long they are. Each is held open until a test goes on with it. */
  function chunkedUploads(app: TestApp) {
    let read = 0
    const begin = async () => {
      const headers = {
        authorization: `Bearer ${await app.token}`,
        'content-type': 'multipart/form-data; boundary=x',
        'transfer-encoding': 'chunked',
      }
      const isRead = Promise.withResolvers<void>()
      const { promise: goesOn, resolve: goOn } = Promise.withResolvers<Uint8Array>()
      const body = new ReadableStream<Uint8Array>(
        {
          pull: async (controller) => {
            read += 1
            isRead.resolve()
            controller.enqueue(await goesOn)
            controller.close()
          },
        },
        { highWaterMark: 0 },
      )
      const answer = Promise.resolve(app.app.request('/api/services/long', { method: 'POST', headers, body }))
      return { answer, isRead: isRead.promise, goOn }
    }
    return { begin, read: () => read }
  }

  test('POST /api/services/:name reads as many chunked uploads concurrently as a principal has places', async () => {
    const { app } = withService()
    const { begin, read } = chunkedUploads(app)
    const held = [await begin(), await begin(), await begin(), await begin()]
    await Promise.all(held.map(({ isRead }) => isRead))
    for (let i = 0; i < 3; i++) expect((await (await begin()).answer).status).toBe(429)
    expect(read()).toBe(4)
    const form = '--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--x--\r\n'
    for (const { goOn } of held) goOn(new TextEncoder().encode(form))
    expect(await Promise.all(held.map(async ({ answer }) => (await answer).status))).toEqual([202, 202, 202, 202])
  })

  test('POST /api/services/:name stops reading a chunked upload at the limit, and releases its place', async () => {
    const { app } = withService({ uploadBytes: 1_000, services: 1 })
    const { begin } = chunkedUploads(app)
    for (const [bytes, status] of [
      [1_001, 413],
      [1_000, 400],
    ] as const) {
      const upload = await begin()
      upload.goOn(new Uint8Array(bytes))
      expect((await upload.answer).status).toBe(status)
    }
  })

  test('POST /api/services/:name yields to the event loop while it reads a form, by the clock of the app', async () => {
    const { app } = withService()
    const { begin } = chunkedUploads(app)
    const upload = await begin()
    await upload.isRead
    await app.clock.advance(20)
    upload.goOn(new TextEncoder().encode('no form'))
    while (app.clock.nextAt !== app.clock.now()) await settle()
    await app.clock.advance(0)
    expect((await upload.answer).status).toBe(400)
  })

  test('POST /api/services/:name refuses an upload that stands still, and releases its place', async () => {
    const { app } = withService({ services: 1 })
    const { begin } = chunkedUploads(app)
    const half = await begin()
    await half.isRead
    expect((await (await begin()).answer).status).toBe(429)
    await app.clock.advance(10_000)
    const refused = await half.answer
    expect([refused.status, refused.headers.get('connection')]).toEqual([408, 'close'])
    expect(await refused.json()).toMatchObject({ type: 'urn:milepost:too-slow', errors: [{ field: 'body' }] })
    const next = await begin()
    await next.isRead
    next.goOn(new TextEncoder().encode('no form'))
    await settle()
    await app.clock.advance(0)
    expect((await next.answer).status).toBe(400)
  })

  test('a JSON body of more than 16 KiB, or without Content-Length, is refused when it is too slow', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    for (const [path, length] of [
      [`/api/jobs/${id}/events`, '20000'],
      [`/api/jobs/${id}/events`, undefined],
      ['/api/jobs', '20000'],
      ['/api/jobs', undefined],
    ] as const) {
      const headers = { ...(length === undefined ? {} : { 'content-length': length }) }
      const body = new ReadableStream({ pull: () => new Promise(() => {}) })
      const init = {
        method: 'POST',
        headers: { authorization: `Bearer ${await app.token}`, 'content-type': 'application/json', ...headers },
        body,
      }
      const answer = Promise.resolve(app.app.request(path, init))
      await settle()
      await app.clock.advance(10_000)
      expect((await answer).status).toBe(408)
    }
  })

  test('POST /api/services/:name runs sixteen at once in total', async () => {
    const { start } = withService()
    for (let i = 0; i < 16; i++) expect((await start(form(), `user ${i}`)).status).toBe(202)
    const refused = await start(form(), 'one more')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
  })

  test('POST /api/services/:name fails a job that is paused for over an hour', async () => {
    const { app, start, ends } = withService()
    const { id } = (await (await start()).json()) as JobHeader
    await app.clock.advance(1_000)
    await app.request('POST', `/api/jobs/${id}/pause`)
    ends[0]?.()
    await app.clock.advance(3_599_000)
    expect((await app.document(id)).status).toBe('paused')
    await app.clock.advance(60_000)
    expect(await app.document(id)).toMatchObject({
      status: 'failed',
      message: 'The job was paused for too long, and the server released its memory. Start it again.',
    })
    for (let i = 0; i < 4; i++) expect((await start()).status).toBe(202)
  })

  test('POST /api/services/:name does not fail a job that was resumed in time', async () => {
    const { app, start, ends } = withService()
    const { id } = (await (await start()).json()) as JobHeader
    await app.clock.advance(1_000)
    await app.request('POST', `/api/jobs/${id}/pause`)
    ends[0]?.()
    await app.clock.advance(1_800_000)
    await app.request('POST', `/api/jobs/${id}/resume`)
    await app.clock.advance(7_200_000)
    expect((await app.document(id)).status).toBe('completed')
  })
})

describe('the secret', () => {
  test('the secret is in no response, whatever fails', async () => {
    const app = new TestApp()
    app.engine.read = () => Promise.reject(new Error(SECRET))
    for (const path of ['/api/jobs/x', '/api/jobs/x/progress', '/api/progress?job=x'])
      expect(await (await app.request('GET', path)).text()).not.toContain(SECRET)
  })
})
