import { describe, expect, test } from 'bun:test'
import type { JobList } from '../../../../shared/wire/api.ts'
import { TestApp } from '../../../support/test-app.ts'

const failed = { type: 'status', status: 'failed' } as const

describe('Retries', () => {
  test('Retries finds the newest 20 of a job, and the store has no more notes than that', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, failed)
    // A retry that is removed leaves its note.
    for (let n = 0; n < 25; n++) {
      const removed = await app.create({ retryOf: id })
      expect((await app.request('DELETE', `/api/jobs/${removed.id}`)).status).toBe(204)
    }
    const retries: string[] = []
    for (let n = 0; n < 25; n++) {
      await app.clock.advance(1_000)
      retries.unshift((await app.create({ retryOf: id })).id)
      const notes = app.engine.notes.all({ after: '', limit: 100 })
      expect(notes.filter(({ key }) => key.startsWith('retries/')).length).toBeLessThanOrEqual(20)
      if (n === 0) expect(await retriesOf(app, id)).toEqual(retries)
    }
    expect(await retriesOf(app, id)).toEqual(retries.slice(0, 20))
  })
})

async function retriesOf(app: TestApp, id: string): Promise<string[]> {
  const { jobs } = (await (await app.request('GET', `/api/jobs/${id}/retries`)).json()) as JobList
  return jobs.map((job) => job.id)
}
