import { describe, expect, test } from 'bun:test'
import type { JobList } from '../../../../../shared/wire/api.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { virtualToken } from '../../../../support/tokens.ts'

/** An app with a job that runs, and others that have ended a minute after each other. */
async function setUp(...statuses: ('completed' | 'failed' | 'cancelled')[]) {
  const app = new TestApp()
  await app.create({ id: 'live' })
  for (const [index, status] of statuses.entries()) {
    await app.create({ id: `ended-${index}` })
    await app.publish(`ended-${index}`, { type: 'status', status })
    await app.clock.advance(60_000)
  }
  return app
}

async function left(app: TestApp): Promise<string[]> {
  const { jobs } = (await (await app.request('GET', '/api/jobs?limit=100')).json()) as JobList
  return jobs.map(({ id }) => id).sort()
}

/** Asks for a removal, and lets it be done. */
async function remove(app: TestApp, query = '', headers: Record<string, string> = {}): Promise<number> {
  const { status } = await app.request('DELETE', `/api/jobs${query}`, undefined, headers)
  await app.clock.advance(1)
  return status
}

const bearer = async (...args: Parameters<typeof virtualToken>) => ({
  authorization: `Bearer ${await virtualToken(...args)}`,
})

describe('DELETE /api/jobs', () => {
  test('DELETE /api/jobs removes all of one’s own jobs that have ended', async () => {
    const app = await setUp('completed', 'failed', 'cancelled')
    expect(await remove(app)).toBe(202)
    expect(await left(app)).toEqual(['live'])
  })

  test('DELETE /api/jobs filters by status and time of the end', async () => {
    const app = await setUp('completed', 'failed', 'completed', 'completed')
    expect(await remove(app, '?status=completed&endedBefore=2026-01-01T00:02:00Z')).toBe(202)
    expect(await left(app)).toEqual(['ended-1', 'ended-2', 'ended-3', 'live'])
    expect(await remove(app, `?endedBefore=${encodeURIComponent('2026-01-01T01:02:00.001+01:00')}`)).toBe(202)
    expect(await left(app)).toEqual(['ended-3', 'live'])
  })

  test('DELETE /api/jobs removes more than a page', async () => {
    const app = await setUp()
    for (let index = 0; index < 250; index++) {
      await app.create({ id: `many-${index}` })
      await app.publish(`many-${index}`, { type: 'status', status: 'failed' })
    }
    await remove(app)
    expect(await left(app)).toEqual(['live'])
  })

  test('DELETE /api/jobs with an owner is for administrators, and without one for owners', async () => {
    const app = await setUp('completed')
    const eve = await bearer('eve')
    expect(await remove(app, '?owner=ada', eve)).toBe(403)
    expect(await remove(app, '', eve)).toBe(202)
    expect(await remove(app, '', await bearer('ada', 'jobs:write'))).toBe(403)
    expect(await left(app)).toEqual(['ended-0', 'live'])
    expect(await remove(app, '?owner=ada', await bearer('root', 'jobs:admin'))).toBe(202)
    expect(await left(app)).toEqual(['live'])
  })

  test('DELETE /api/jobs reports failed removals to the operator, and removes the rest', async () => {
    const app = await setUp('completed', 'completed')
    const removeOne = app.engine.remove.bind(app.engine)
    app.engine.remove = async (id, only) => {
      if (id === 'ended-1') throw new Error('broken')
      return removeOne(id, only)
    }
    await remove(app)
    expect(app.errors.map(String)).toEqual(['Error: 1 ended jobs could not be removed'])
    expect(await left(app)).toEqual(['ended-1', 'live'])
  })

  test('DELETE /api/jobs queues at most ten requests of an owner', async () => {
    const app = await setUp('completed')
    const list = app.engine.list.bind(app.engine)
    const held = Promise.withResolvers<void>()
    app.engine.list = async (query) => {
      await held.promise
      return list(query)
    }
    const statuses: number[] = []
    for (let index = 0; index < 11; index++) statuses.push(await remove(app))
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 202), 429])
    expect(await remove(app, '', await bearer('eve'))).toBe(202)
    held.resolve()
    await app.clock.advance(1)
    expect(await remove(app)).toBe(202)
    expect(await left(app)).toEqual(['live'])
  })
})
