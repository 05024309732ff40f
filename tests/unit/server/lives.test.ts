import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../arbitraries.ts'
import { TestApp } from '../../support/test-app.ts'

const marks = { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 0, requestDigest: '' }

/** An app in which a job is removed, and its id taken by somebody else, just before the stream that asked for it begins. */
async function replaced(app: TestApp): Promise<void> {
  await app.create({ id: 'j' })
  const watch = app.engine.watch.bind(app.engine)
  app.engine.watch = async (...args) => {
    await app.engine.remove('j')
    await app.engine.create({ header: newHeader({ id: 'j', epoch: 'next', owner: 'eve', createdBy: 'eve' }), marks })
    return watch(...args)
  }
}

describe('a stream', () => {
  for (const path of ['/api/jobs/j/progress', '/api/progress?job=j', '/api/jobs/j/progress?parts=header']) {
    test(`a stream at ${path} shows nothing of an epoch without access`, async () => {
      const app = new TestApp()
      await replaced(app)
      const stream = await app.request('GET', path)
      expect(await stream.text()).toMatch(/^retry: \d+\n$/)
      expect(app.app.hub.open).toEqual({ streams: 0, channels: 0 })
    })
  }

  test('a document that is removed and created again while it is read is 404', async () => {
    const app = new TestApp()
    await app.create({ id: 'j' })
    const read = app.engine.read.bind(app.engine)
    app.engine.read = async (id) => {
      const stored = await read(id)
      await app.engine.remove('j')
      await app.engine.create({ header: newHeader({ id: 'j', epoch: 'next', owner: 'eve', createdBy: 'eve' }), marks })
      return stored
    }
    expect((await app.request('GET', '/api/jobs/j')).status).toBe(404)
  })
})
