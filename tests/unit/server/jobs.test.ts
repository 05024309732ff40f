import { describe, expect, test } from 'bun:test'
import type { Change } from '../../../server/engine.ts'
import type { JobHeader } from '../../../shared/job.ts'
import { TestApp } from '../../support/test-app.ts'
import { settle } from '../../virtual-clock.ts'

async function headerOf(response: Promise<Response>, status: number): Promise<JobHeader> {
  const answer = await response
  expect(answer.status).toBe(status)
  return (await answer.json()) as JobHeader
}

/** Every change of a job from now on. */
async function changesOf(app: TestApp, job: string): Promise<Change[]> {
  const changes: Change[] = []
  await app.engine.watch({ job }, (change) => changes.push(change))
  return changes
}

const running = { type: 'status', status: 'running' } as const

describe('publish', () => {
  test('publish by a token writes to no life of the job but its own, though the next begins while it is looked up', async () => {
    const app = new TestApp()
    const { id } = await app.create({ id: 'j' })
    const shared = await app.request('POST', `/api/jobs/${id}/tokens`, { can: 'publish' })
    const { token } = (await shared.json()) as { token: string }
    const authorization = `Bearer ${token}`
    const send = () => app.request('POST', `/api/jobs/${id}/events`, running, { authorization })
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (job) => {
      app.engine.read = read
      const stored = await read(job)
      await app.engine.remove(job)
      await app.create({ id })
      return stored
    }
    expect((await send()).status).toBe(404)
    expect((await app.document(id)).version).toBe(1)
    expect((await send()).status).toBe(404)
  })
})

describe('operate', () => {
  test('operate cancels what has not begun at once, in one batch', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const changes = await changesOf(app, id)
    const header = await headerOf(app.request('POST', `/api/jobs/${id}/cancel`), 202)
    const { version, status, cancelRequested, endedAt } = header
    expect({ version, status, cancelRequested, endedAt }).toEqual({
      version: 3,
      status: 'cancelled',
      cancelRequested: true,
      endedAt: '2026-01-01T00:00:00.000Z',
    })
    expect(changes.map(({ from, to }) => [from, to])).toEqual([[1, 3]])
  })

  test('operate asks a job that runs, and leaves its status to its producer', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    const asked = await headerOf(app.request('POST', `/api/jobs/${id}/cancel`), 202)
    expect([asked.version, asked.status, asked.cancelRequested]).toEqual([3, 'running', true])
    const receipt = await (await app.publish(id, { type: 'progress', done: 1 })).json()
    expect(receipt).toEqual({
      version: 4,
      cancelRequested: true,
      pauseRequested: false,
      watched: false,
      flushMs: 5_000,
    })
  })

  test('operate pauses and resumes', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const paused = await headerOf(app.request('POST', `/api/jobs/${id}/pause`), 202)
    expect([paused.version, paused.status, paused.pauseRequested]).toEqual([2, 'pending', true])
    const resumed = await headerOf(app.request('POST', `/api/jobs/${id}/resume`), 202)
    expect([resumed.version, resumed.status, resumed.pauseRequested]).toEqual([3, 'pending', false])
  })

  test('operate decides anew when the job moved on after it was read', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const read = app.engine.read.bind(app.engine)
    let overtaken = 0
    app.engine.read = async (job) => {
      const stored = await read(job)
      // The producer begins, and then reports, each time just after the look at the job.
      if (overtaken++ < 3) {
        const events = [overtaken === 1 ? running : ({ type: 'progress', done: overtaken } as const)]
        await app.engine.apply(id, { events, at: '2026-01-01T00:00:00.000Z' })
      }
      return stored
    }
    const header = await headerOf(app.request('POST', `/api/jobs/${id}/cancel`), 202)
    // Had it gone by what it first read, it would have cancelled a running job.
    expect([header.version, header.status, header.cancelRequested]).toEqual([5, 'running', true])
    expect(overtaken).toBe(4)
  })

  test('operate refuses when the job ended after it was read', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (job) => {
      const stored = await read(job)
      app.engine.read = read
      await app.engine.apply(id, { events: [{ type: 'status', status: 'completed' }], at: '2026-01-01T00:00:00.000Z' })
      return stored
    }
    const answer = await app.request('POST', `/api/jobs/${id}/cancel`)
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ detail: 'The job is completed already.' })
    expect((await app.document(id)).version).toBe(2)
  })

  test('operate takes many requests at once, each of them once', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    const operations = ['pause', 'resume', 'cancel', 'pause', 'resume', 'cancel', 'pause', 'resume']
    const answers = await Promise.all(operations.map((name) => app.request('POST', `/api/jobs/${id}/${name}`)))
    expect(answers.map(({ status }) => status)).toEqual(operations.map(() => 202))
    const versions = await Promise.all(answers.map(async (answer) => ((await answer.json()) as JobHeader).version))
    expect(versions.sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
  })
})

describe('sweep', () => {
  test('sweep cancels a job that is silent for 60 s after it was asked to stop', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    await app.clock.advance(600_000)
    await app.request('POST', `/api/jobs/${id}/cancel`)
    await app.clock.advance(59_000)
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(6_000)
    const { status, message, version } = await app.document(id)
    expect({ status, message, version }).toEqual({
      status: 'cancelled',
      message: 'Asked to stop, and not heard of since',
      version: 4,
    })
  })

  test('sweep leaves a job alone whose producer is heard of', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    await app.request('POST', `/api/jobs/${id}/cancel`)
    for (let minute = 0; minute < 5; minute++) {
      await app.clock.advance(50_000)
      await app.publish(id, { type: 'log', message: 'putting things in order' })
    }
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(65_000)
    expect((await app.document(id)).status).toBe('cancelled')
  })

  test('sweep fails a job that runs out of time', async () => {
    const app = new TestApp()
    const { id } = await app.create({ timeoutSeconds: 90 })
    await app.clock.advance(60_000)
    await app.publish(id, running)
    await app.clock.advance(89_000)
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(6_000)
    const { status, message } = await app.document(id)
    expect({ status, message }).toEqual({ status: 'failed', message: 'Not done within 90 seconds' })
  })

  test('sweep removes what was kept long enough, and says that it expired', async () => {
    const app = new TestApp({ retentionSeconds: 3_600 })
    const { id } = await app.create()
    await app.publish(id, { type: 'status', status: 'completed' })
    expect((await app.document(id)).expiresAt).toBe('2026-01-01T01:00:00.000Z')
    const changes = await changesOf(app, id)
    await app.clock.advance(3_599_000)
    expect((await app.request('GET', `/api/jobs/${id}`)).status).toBe(200)
    await app.clock.advance(6_000)
    expect((await app.request('GET', `/api/jobs/${id}`)).status).toBe(404)
    expect(changes.map(({ removed }) => removed)).toEqual([true])
  })

  test('sweep keeps ended jobs for good without a retention', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, { type: 'status', status: 'completed' })
    await app.clock.advance(86_400_000)
    expect((await app.document(id)).status).toBe('completed')
  })

  test('sweep goes on after the engine was away, and tells of it', async () => {
    const app = new TestApp()
    const { id } = await app.create({ timeoutSeconds: 1 })
    const due = app.engine.due.bind(app.engine)
    app.engine.due = () => Promise.reject(new Error('away'))
    await app.clock.advance(11_000)
    expect(app.errors.map(String)).toEqual(['Error: away', 'Error: away'])
    app.engine.due = due
    await app.clock.advance(5_000)
    expect((await app.document(id)).status).toBe('failed')
  })

  test('sweep stops when the app is closed', async () => {
    const app = new TestApp()
    expect(app.clock.pending).toBe(1)
    await app.app.close()
    expect(app.clock.pending).toBe(0)
  })
})

describe('publish', () => {
  test('publish with a publish token or as an administrator asks for the creator it was allowed for', async () => {
    const app = new TestApp()
    const { id } = await app.create({ id: 'taken-twice' })
    const { token } = (await (await app.request('POST', `/api/jobs/${id}/tokens`, { can: 'publish' })).json()) as {
      token: string
    }
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (job) => {
      const stored = await read(job)
      app.engine.read = read
      // Removed after the look at it, and made again by somebody else.
      await app.engine.remove(id)
      if (stored) {
        const header = { ...stored.header, createdBy: 'eve', epoch: 'other' }
        await app.engine.create({ ...stored, header })
      }
      return stored
    }
    const authorization = `Bearer ${token}`
    const answer = await app.request('POST', `/api/jobs/${id}/events`, { type: 'progress', done: 1 }, { authorization })
    expect(answer.status).toBe(404)
    expect((await app.engine.read(id))?.header.version).toBe(1)
  })

  test('publish by two producers at once applies each of their batches once, in some order', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => app.publish(id, { type: 'item', id: `${n}`, status: 'running' })),
    )
    const versions = await Promise.all(answers.map(async (answer) => ((await answer.json()) as JobHeader).version))
    expect(new Set(versions)).toEqual(new Set(Array.from({ length: 50 }, (_, n) => n + 2)))
    const { items, version } = await app.document(id)
    expect(version).toBe(51)
    expect(items.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })

  test('publish with one key many times at once applies it once', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const headers = { 'idempotency-key': 'k' }
    const event = { type: 'log', message: 'once' }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => app.request('POST', `/api/jobs/${id}/events`, event, headers)),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect((await app.document(id)).logs.map(({ message }) => message)).toEqual(['once'])
  })

  test('publish tells a producer whether somebody follows: the job, its owner, or the children of its parent', async () => {
    const app = new TestApp()
    const { id } = await app.create({ parentId: 'parent' })
    const followed = async (path: string) => {
      const abort = new AbortController()
      const stream = await app.app.request(path, {
        headers: { authorization: `Bearer ${await app.token}` },
        signal: abort.signal,
      })
      expect(stream.status).toBe(200)
      const receipt = await (await app.publish(id, { type: 'progress', done: 1 })).json()
      abort.abort()
      await settle()
      return receipt
    }
    for (const path of [
      `/api/jobs/${id}/progress`,
      `/api/jobs/${id}/progress?parts=header`,
      `/api/progress?job=${id}`,
      '/api/progress',
      '/api/progress?parent=parent',
    ])
      expect(await followed(path)).toMatchObject({ watched: true, flushMs: 250 })
    expect(await followed('/api/progress?parent=other')).toMatchObject({ watched: false, flushMs: 5_000 })
    expect(app.app.hub.open).toEqual({ streams: 0, channels: 0 })
  })
})
