import { afterEach, describe, expect, test } from 'bun:test'
import {
  emitError,
  emitItem,
  emitLog,
  emitProgress,
  emitStatus,
  emitStep,
  JobEventEmitter,
  noControl,
  setJobEvents,
} from '../../../../server/jobs/emitter.ts'
import type { JobStatus } from '../../../../shared/document/job.ts'
import { TestApp } from '../../../support/test-app.ts'
import { settle } from '../../../virtual-clock.ts'

afterEach(() => setJobEvents(undefined))

/** An app, a job in it, and every status that the job comes to. */
async function jobOf(test: TestApp) {
  const { id } = await test.create()
  const statuses: JobStatus[] = []
  await test.engine.watch({ job: id }, ({ events = [] }) => {
    for (const event of events) if (event.type === 'status') statuses.push(event.status)
  })
  return { id, statuses }
}

/** Work that waits at a gate, and the gate. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** Something whose every field throws when it is read. */
const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('hostile')
    },
    ownKeys: () => {
      throw new Error('hostile')
    },
  },
)

describe('the emit helpers', () => {
  test('emitProgress and its siblings do nothing and never throw without an emitter', () => {
    for (const fields of [{ done: 1 }, undefined, null, hostile] as never[]) {
      emitProgress('job', fields)
      emitStatus('job', fields)
      emitItem('job', fields)
      emitStep('job', fields)
      emitError('job', fields)
      emitLog('job', fields)
    }
    expect(noControl.signal.aborted).toBe(false)
  })

  test('emitProgress and its siblings report to the emitter set last', async () => {
    const app = new TestApp()
    const { id } = await jobOf(app)
    setJobEvents(new TestApp().app.jobs)
    setJobEvents(app.app.jobs)
    emitProgress(id, { done: 1, total: 2 })
    emitItem(id, { id: 'a', status: 'running' })
    emitStep(id, { id: 's', done: 1 })
    emitError(id, { message: 'E' })
    emitLog(id, { message: 'L', level: 'warn' })
    emitStatus(id, { status: 'running', message: 'M' })
    await app.app.jobs.flush()
    const { version, status, message, progress, items, steps, errors, logs } = await app.document(id)
    expect({ version, status, message, progress }).toEqual({
      version: 7,
      status: 'running',
      message: 'M',
      progress: { done: 1, total: 2 },
    })
    expect(items).toEqual([{ id: 'a', index: 0, version: 3, status: 'running' }])
    expect(steps).toEqual([{ id: 's', index: 0, version: 4, status: 'pending', done: 1 }])
    expect(errors.map((row) => row.message)).toEqual(['E'])
    expect(logs.map((row) => [row.level, row.message])).toEqual([['warn', 'L']])
    expect(app.app.jobs.dropped).toBe(0)
  })

  test('emitProgress counts and drops invalid fields, and those with a getter that throws', async () => {
    const { app } = new TestApp()
    setJobEvents(app.jobs)
    emitProgress('job', { done: -1 })
    emitProgress('job', hostile as never)
    emitStatus('job', { status: 'running', result: hostile })
    emitStatus('job', { status: 'running', metadata: { toJSON: hostile } })
    app.jobs.emit('job', hostile as never)
    expect(app.jobs.dropped).toBe(5)
  })

  test('emitProgress of a missing job is dropped once the server has refused it', async () => {
    const { app, clock } = new TestApp()
    setJobEvents(app.jobs)
    emitProgress('no-such-job', { done: 1 })
    emitProgress(undefined as never, { done: 1 })
    await app.jobs.flush()
    await clock.advance(60_000)
    expect(app.jobs.dropped).toBe(2)
  })
})

describe('run', () => {
  test('run reports running, and then completed with the result', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    await app.app.jobs.run(id, async () => {
      expect(statuses).toEqual(['running'])
      return { rows: 3 }
    })
    expect(statuses).toEqual(['running', 'completed'])
    expect((await app.document(id)).result).toEqual({ rows: 3 })
  })

  test('run omits the result of work that returns nothing', async () => {
    const app = new TestApp()
    const { id } = await jobOf(app)
    await app.app.jobs.run(id, async () => {})
    expect(await app.document(id)).not.toHaveProperty('result')
  })

  test('run reports failed with the error', async () => {
    const app = new TestApp()
    for (const [thrown, message] of [
      [new Error('The disk is full'), 'The disk is full'],
      [new RangeError(''), 'RangeError'],
      ['a string', 'a string'],
      [undefined, 'undefined'],
      [Object.create(null), 'The work failed with an error that has no message'],
      [hostile, 'The work failed with an error that has no message'],
      [new Error('x'.repeat(10_000)), 'x'.repeat(200)],
    ]) {
      const { id, statuses } = await jobOf(app)
      await app.app.jobs.run(id, () => Promise.reject(thrown))
      expect(statuses).toEqual(['running', 'failed'])
      expect((await app.document(id)).message).toBe(message)
    }
  })

  test('run reports a failure of work that throws synchronously', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    await app.app.jobs.run(id, () => {
      throw new Error('at once')
    })
    expect(statuses).toEqual(['running', 'failed'])
  })

  test('run fails work whose result can not be stored, so that it does not seem to run for ever', async () => {
    const app = new TestApp()
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const result of ['x'.repeat(65_537), circle, 10n, () => {}]) {
      const { id, statuses } = await jobOf(app)
      await app.app.jobs.run(id, async () => result)
      expect(statuses).toEqual(['running', 'failed'])
      expect((await app.document(id)).message).toBe('The work was done, but its result is too large or not JSON')
    }
  })

  test('run reports cancelled when a watcher cancelled the job', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    const running = app.app.jobs.run(id, ({ signal }) => {
      const { promise, reject } = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => reject(signal.reason))
      return promise
    })
    await settle()
    expect((await app.request('POST', `/api/jobs/${id}/cancel`)).status).toBe(202)
    await running
    expect(statuses).toEqual(['running', 'cancelled'])
  })

  test('run applies a request made before the work began', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    await app.publish(id, { type: 'status', status: 'running' })
    await app.request('POST', `/api/jobs/${id}/cancel`)
    await app.app.jobs.run(id, (control) => control.untilResumed())
    expect(statuses).toEqual(['running', 'running', 'cancelled'])
  })

  test('run reports paused and running once each, however many callers wait', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    const { opened, open } = gate()
    let resumed = 0
    const running = app.app.jobs.run(id, async (control) => {
      await opened
      await Promise.all(Array.from({ length: 8 }, () => control.untilResumed().then(() => resumed++)))
    })
    await settle()
    await app.request('POST', `/api/jobs/${id}/pause`)
    open()
    await app.clock.advance(1_000)
    expect(statuses).toEqual(['running', 'paused'])
    expect(resumed).toBe(0)
    await app.request('POST', `/api/jobs/${id}/resume`)
    await app.clock.advance(1_000)
    await running
    expect(resumed).toBe(8)
    expect(statuses).toEqual(['running', 'paused', 'running', 'completed'])
  })

  test('run does not report a pause at which nothing waited', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    const { opened, open } = gate()
    const running = app.app.jobs.run(id, async (control) => {
      await opened
      await control.untilResumed()
    })
    await settle()
    await app.request('POST', `/api/jobs/${id}/pause`)
    await app.request('POST', `/api/jobs/${id}/resume`)
    open()
    await running
    expect(statuses).toEqual(['running', 'completed'])
  })

  test('run ends paused work when the job is cancelled', async () => {
    const app = new TestApp()
    const { id, statuses } = await jobOf(app)
    await app.publish(id, { type: 'status', status: 'running' })
    await app.request('POST', `/api/jobs/${id}/pause`)
    const running = app.app.jobs.run(id, (control) => control.untilResumed())
    await app.clock.advance(1_000)
    expect(statuses.at(-1)).toBe('paused')
    await app.request('POST', `/api/jobs/${id}/cancel`)
    await running
    expect(statuses.slice(-2)).toEqual(['paused', 'cancelled'])
  })

  test('run ends when the job is removed', async () => {
    const test = new TestApp()
    const { id } = await jobOf(test)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const run = test.app.jobs.run(id, async ({ signal }) => {
      signal.addEventListener('abort', () => resolve(signal.reason))
      await promise
      signal.throwIfAborted()
    })
    await settle()
    expect((await test.request('DELETE', `/api/jobs/${id}`)).status).toBe(204)
    expect(await promise).toBeInstanceOf(Error)
    await run
  })

  test('close fails running work, and waits until that is reported', async () => {
    const test = new TestApp()
    const { id } = await jobOf(test)
    const begun = gate()
    void test.app.jobs.run(id, async ({ signal }) => {
      begun.open()
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await begun.opened
    await test.app.close()
    expect(await test.document(id)).toMatchObject({
      status: 'failed',
      message: 'The server stopped before the work was done',
    })
  })

  test('close does not wait long for work that does not end', async () => {
    const test = new TestApp()
    const { id } = await jobOf(test)
    const begun = gate()
    void test.app.jobs.run(id, () => {
      begun.open()
      return new Promise(() => {})
    })
    await begun.opened
    const closed = test.app.close()
    await test.clock.advance(3_000)
    await closed
    expect(test.clock.pending).toBe(0)
  })

  test('run leaves no watch and no timer behind', async () => {
    const app = new TestApp()
    const timers = app.clock.pending
    const { id } = await jobOf(app)
    let watches = 0
    const watch = app.engine.watch.bind(app.engine)
    app.engine.watch = async (...args) => {
      watches += 1
      const unwatch = await watch(...args)
      return () => {
        watches -= 1
        unwatch()
      }
    }
    await app.app.jobs.run(id, async () => expect(watches).toBe(1))
    expect(watches).toBe(0)
    expect(app.clock.pending).toBe(timers)
  })
})

describe('JobEventEmitter', () => {
  /** An emitter whose wake-ups are all lost: only answers tell. */
  function deaf() {
    const sent: string[] = []
    const asked = { cancelRequested: false, pauseRequested: false }
    let version = 1
    const app = new TestApp()
    const emitter = new JobEventEmitter({
      clock: app.clock,
      random: { number: () => 0, bytes: (length) => new Uint8Array(length) },
      validate: (event) => event,
      publish: async (_id, events) => {
        version += events.length
        for (const event of events) sent.push(event.type === 'status' ? event.status : event.type)
        return { receipt: { version, ...asked, watched: false, flushMs: 100 } }
      },
      watch: () => Promise.reject(new Error('away')),
    })
    return { emitter, sent, asked, clock: app.clock }
  }

  test('run applies requests of watchers from receipts too', async () => {
    const { emitter, sent, asked, clock } = deaf()
    const running = emitter.run('job', (control) => {
      const { promise, reject } = Promise.withResolvers<void>()
      control.signal.addEventListener('abort', () => reject(control.signal.reason))
      return promise
    })
    await settle()
    asked.cancelRequested = true
    emitter.emit('job', { type: 'progress', done: 1 })
    await clock.advance(1_000)
    await running
    expect(sent).toEqual(['running', 'progress', 'cancelled'])
  })

  test('run ignores requests that are older than those already applied', async () => {
    let wake: (asked: { version?: number; cancelRequested: boolean; pauseRequested: boolean }) => void = () => {}
    const app = new TestApp()
    const statuses: string[] = []
    const emitter = new JobEventEmitter({
      clock: app.clock,
      random: { number: () => 0, bytes: (length) => new Uint8Array(length) },
      validate: (event) => event,
      publish: async (_id, events) => {
        for (const event of events) if (event.type === 'status') statuses.push(event.status)
        return { receipt: { version: 1, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 100 } }
      },
      watch: async (_id, given) => {
        wake = given
        return () => {}
      },
    })
    const running = emitter.run('job', async (control) => {
      wake({ version: 7, cancelRequested: false, pauseRequested: true })
      wake({ version: 6, cancelRequested: false, pauseRequested: false })
      await control.untilResumed()
    })
    await app.clock.advance(1_000)
    expect(statuses).toEqual(['running', 'paused'])
    wake({ version: 8, cancelRequested: false, pauseRequested: false })
    await app.clock.advance(1_000)
    await running
    expect(statuses).toEqual(['running', 'paused', 'running', 'completed'])
  })
})
