import { describe, expect, test } from 'bun:test'
import type { JobProgress } from '../../../../client/signals/job-progress.ts'
import { createJobSignal, type JobSignalOptions } from '../../../../client/signals/job-signal.ts'
import { jobUpdates } from '../../../../client/signals/job-updates.ts'
import { getJobSignal } from '../../../../client/signals/shared-job-signal.ts'
import { watchJob } from '../../../../client/signals/watch-job.ts'
import { applyEvent } from '../../../../shared/document/fold.ts'
import type { Job } from '../../../../shared/document/job.ts'
import { newDocument, newHeader, placed } from '../../../arbitraries.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'

const STREAM = '/api/progress?parts=all&job=job-1'
const running = newDocument({ status: 'running', progress: { done: 13, total: 100 } })
const progress = (version: number, done: number) => ({ type: 'progress', version, at: running.updatedAt, done })
/** Time enough for jobs to be gathered into one stream. */
const gather = (environment: FakeEnvironment) => environment.clock.advance(20)

/** A job on its stream. */
function world(options: Partial<JobSignalOptions> = {}) {
  const environment = new FakeEnvironment()
  return { environment, options: { jobId: 'job-1', environment, ...options } as JobSignalOptions }
}

async function send(environment: FakeEnvironment, ...messages: [string, unknown][]) {
  for (const [name, data] of messages) environment.source.send(name, data)
  environment.draw()
}

describe('watchJob', () => {
  test('watchJob calls at once, and once a frame with all that has changed', async () => {
    const { environment, options } = world()
    const seen: JobProgress[] = []
    const stop = watchJob(options, (now) => seen.push(now))
    expect(seen).toMatchObject([{ job: undefined, percent: undefined, connection: 'connecting' }])
    await gather(environment)
    environment.source.open()
    await send(environment, ['snapshot', running])
    seen.splice(0)
    await send(environment, ['progress', progress(2, 14)], ['progress', progress(3, 15)])
    expect(seen).toMatchObject([{ job: { version: 3 }, percent: 15, connection: 'live', error: undefined }])
    stop()
    await environment.clock.advance(1_000)
    expect(environment.source.isOpen).toBe(false)
  })

  test('watchJob goes on after an error of the listener, as do others who watch the job', async () => {
    const { environment, options } = world()
    const uncaught: unknown[] = []
    const catchIt = (error: unknown) => void uncaught.push(error)
    const { reportError } = globalThis
    globalThis.reportError = catchIt
    const seen: (number | undefined)[] = []
    const stops = [
      watchJob(options, ({ percent }) => {
        if (percent === 14) throw new Error('of the page')
      }),
      watchJob(options, ({ percent }) => void seen.push(percent)),
    ]
    await gather(environment)
    environment.source.open()
    for (const message of [
      ['snapshot', running],
      ['progress', progress(2, 14)],
      ['progress', progress(3, 15)],
    ] as const)
      await send(environment, [...message])
    for (const stop of stops) stop()
    globalThis.reportError = reportError
    expect(seen.at(-1)).toBe(15)
    expect(environment.sources).toHaveLength(1)
    expect(uncaught.map(String)).toEqual(['Error: of the page'])
  })
})

describe('jobUpdates', () => {
  test('jobUpdates yields the newest document, and ends after the last', async () => {
    const { environment, options } = world()
    const versions: number[] = []
    const loop = (async () => {
      for await (const job of jobUpdates(options)) versions.push(job.version)
    })()
    await gather(environment)
    environment.source.open()
    await send(environment, ['snapshot', running])
    await environment.clock.advance(1)
    await send(environment, ['progress', progress(2, 14)], ['progress', progress(3, 15)])
    await environment.clock.advance(1)
    await send(environment, ['status', { type: 'status', version: 4, at: running.updatedAt, status: 'completed' }])
    await loop
    expect(versions).toEqual([1, 3, 4])
    await environment.clock.advance(1_000)
    expect(environment.clock.pending).toBe(0)
  })

  test('jobUpdates ends when it is left, and when its signal aborts, while it waits too', async () => {
    for (const leave of ['break', 'abort'] as const) {
      const { environment, options } = world()
      const abort = new AbortController()
      let count = 0
      const loop = (async () => {
        for await (const _ of jobUpdates({ ...options, signal: abort.signal })) {
          count += 1
          if (leave === 'break') break
        }
      })()
      await gather(environment)
      environment.source.open()
      await send(environment, ['snapshot', running])
      await environment.clock.advance(1)
      if (leave === 'abort') abort.abort()
      await loop
      await environment.clock.advance(1_000)
      expect([count, environment.source.isOpen]).toEqual([1, false])
    }
  })

  test.each([
    ['deleted', 'There is no such job, or none any more.'],
    ['token-expired', 'The token to watch the job has expired.'],
  ])('jobUpdates throws when the job is over: %s', async (reason, message) => {
    const { environment, options } = world()
    const updates = jobUpdates(options)
    const first = updates.next()
    await gather(environment)
    environment.source.open()
    await send(environment, ['snapshot', running])
    expect((await first).value).toMatchObject({ version: 1 })
    const second = updates.next()
    environment.source.send('end', { jobId: 'job-1', reason })
    expect(second).rejects.toThrow(message)
    await environment.clock.advance(1)
  })
})

describe('initial', () => {
  const events = placed([
    { type: 'progress', done: 13, total: 100 },
    { type: 'item', id: 'a', status: 'running' },
    { type: 'item', id: 'a', status: 'failed' },
  ])
  const rendered = events.slice(0, 2).reduce(applyEvent, running)

  test('createJobSignal shows a document that a server has rendered, and goes on from its version', async () => {
    const before = structuredClone(rendered)
    const { environment, options } = world({ initial: rendered })
    const signals = createJobSignal(options)
    expect([signals.job.value, signals.percent.value, signals.item('a').value?.status]).toEqual([
      rendered,
      13,
      'running',
    ])
    const seen: (Job | undefined)[] = []
    const stop = watchJob({ ...options }, ({ job }) => seen.push(job))
    await gather(environment)
    expect(environment.source.url).toBe(`${STREAM}%40e1-3`)
    environment.source.open()
    await send(environment, ['item', events[2]])
    expect(seen[0]).toEqual(before)
    expect(seen.at(-1)).toMatchObject({ version: 4, items: [{ id: 'a', status: 'failed' }] })
    // What the page has is its own.
    expect(rendered).toEqual(before)
    stop()
  })

  test('createJobSignal takes a header as well', () => {
    const { options } = world({ initial: newHeader({ id: 'job-1' }), parts: 'header' })
    expect(createJobSignal(options).job.value).toMatchObject({ id: 'job-1', items: [], logs: [] })
  })

  test('createJobSignal does not connect for a job that had ended', async () => {
    const { environment, options } = world({ initial: { ...rendered, status: 'completed' } })
    const seen: JobProgress[] = []
    const stop = watchJob(options, (now) => seen.push(now))
    await gather(environment)
    expect(environment.sources).toHaveLength(0)
    expect(seen).toMatchObject([{ percent: 100, connection: 'ended' }])
    stop()
  })

  test('createJobSignal ignores the document of another job', () => {
    const { options } = world({ initial: { ...rendered, id: 'job-2' } })
    expect(createJobSignal(options).job.value).toBeUndefined()
  })

  test('getJobSignal shares nothing that was rendered on a server, where there is no page', () => {
    const { options } = world({
      initial: rendered,
      environment: Object.assign(new FakeEnvironment(), { page: undefined }),
    })
    getJobSignal(options)
    const other = { ...options, initial: { ...rendered, version: 43 } } as JobSignalOptions
    expect(getJobSignal(other).job.value?.version).toBe(43)
  })
})
