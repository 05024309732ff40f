import { describe, expect, test } from 'bun:test'
import type { Change } from '../../../../server/jobs/engine.ts'
import { KEY_LIFETIME } from '../../../../server/jobs/idempotency.ts'
import { SETTLE_MS } from '../../../../server/jobs/trusted-clock.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { newJob } from '../../../conformance/fixtures.ts'
import { TestApp } from '../../../support/test-app.ts'
import { settle } from '../../../virtual-clock.ts'

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
  test("publish with a token writes only to the token's epoch, even if the next begins during the access check", async () => {
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

  test('publish forgets a key after an hour of uptime, which a change of the clock restarts', async () => {
    const app = new TestApp()
    const { clock } = app
    const { id } = await app.create()
    const versions: number[] = []
    const publish = async (key: string) => {
      const answer = await app.request(
        'POST',
        `/api/jobs/${id}/events`,
        { type: 'log', message: 'm' },
        { 'idempotency-key': key },
      )
      versions.push(((await answer.json()) as { version: number }).version)
    }
    await publish('k')
    await clock.advance(KEY_LIFETIME - 1)
    await publish('k')
    await clock.advance(1)
    await publish('k')
    expect(versions.splice(0)).toEqual([2, 2, 3])

    // Its clock is looked at as it is set, and once it has kept that.
    clock.step(2 * KEY_LIFETIME)
    await publish('k')
    await clock.advance(SETTLE_MS)
    await publish('k')
    await clock.advance(KEY_LIFETIME - 1)
    await publish('k')
    await clock.advance(1)
    await publish('k')
    expect(versions).toEqual([3, 3, 3, 4])
  })
})

describe('operate', () => {
  test('operate cancels a pending job at once, in one batch', async () => {
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

  test('operate records the request on a running job, and leaves its status to the producer', async () => {
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

  test("operate decides on the job's state in the commit, not on the state read before", async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (job) => {
      const stored = await read(job)
      // The producer begins just after the look at the job.
      await app.engine.apply(id, { events: [running], at: '2026-01-01T00:00:00.000Z' })
      return stored
    }
    const header = await headerOf(app.request('POST', `/api/jobs/${id}/cancel`), 202)
    expect([header.version, header.status, header.cancelRequested]).toEqual([3, 'running', true])
  })

  test('operate does not affect an epoch that began after the read', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (job) => {
      const stored = await read(job)
      await app.engine.remove(id)
      if (stored) await app.engine.create({ ...stored, header: { ...stored.header, owner: 'eve', epoch: 'other' } })
      return stored
    }
    expect((await app.request('POST', `/api/jobs/${id}/cancel`)).status).toBe(404)
    expect((await read(id))?.header.version).toBe(1)
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

  test('operate applies concurrent requests once each', async () => {
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

describe('publish', () => {
  test('publish with a publish token or as an administrator requires the creator of the access check', async () => {
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

  test('publish by two concurrent producers applies each batch once, in some order', async () => {
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

  test('publish with one key many times concurrently applies it once', async () => {
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

  test("publish returns whether the job is watched: by itself, with its owner's jobs, or with its parent's children", async () => {
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

test('POST /api/jobs that is repeated never shows a job that another principal created under the same id', async () => {
  const app = new TestApp()
  const wanted = { id: 'q', kind: 'k', title: 'Mine' }
  await app.create(wanted)
  const changesSince = app.engine.changesSince.bind(app.engine)
  app.engine.changesSince = async (...args) => {
    app.engine.changesSince = changesSince
    await app.engine.remove('q')
    await app.engine.create(newJob({ id: 'q', epoch: 'e2', owner: 'bob', createdBy: 'bob', title: 'Secret' }))
    return changesSince(...args)
  }
  const answer = await app.request('POST', '/api/jobs', wanted)
  expect([answer.status, (await answer.text()).includes('Secret')]).toEqual([409, false])
})
