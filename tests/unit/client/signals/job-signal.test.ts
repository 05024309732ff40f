import { afterEach, describe, expect, test } from 'bun:test'
import { effect } from '@preact/signals-core'
import { createJobSignal, type JobSignal, type JobSignalOptions } from '../../../../client/signals/job-signal.ts'
import { getJobSignal } from '../../../../client/signals/shared-job-signal.ts'
import { applyEvent } from '../../../../shared/document/fold.ts'
import type { Job } from '../../../../shared/document/job.ts'
import { foldAll, instantOf, newDocument, placed } from '../../../arbitraries.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'

const STREAM = '/api/progress?parts=all&job=job-1'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Time enough for jobs to be gathered into one stream. */
const gather = (environment: FakeEnvironment) => environment.clock.advance(20)

/** Watches a signal for as long as the test runs, or until it says otherwise. Everything that it showed. */
function watch<T>(signal: { readonly value: T }): { seen: T[]; stop(): void } {
  const seen: T[] = []
  const stop = effect(() => {
    seen.push(signal.value)
  })
  stops.push(stop)
  return { seen, stop }
}

function open(options: Partial<JobSignalOptions> = {}, environment = new FakeEnvironment()) {
  const signals: JobSignal = createJobSignal({ jobId: 'job-1', environment, ...options } as JobSignalOptions)
  return { environment, signals }
}

const running = newDocument({ status: 'running', startedAt: '2026-01-01T00:00:00.000Z' })

describe('createJobSignal: when it is open', () => {
  test('createJobSignal opens when a signal of it is first watched, and not before', async () => {
    const { environment, signals } = open()
    expect(signals.job.peek()).toBeUndefined()
    expect(environment.sources).toHaveLength(0)
    watch(signals.percent)
    await gather(environment)
    expect(environment.sources.map(({ url }) => url)).toEqual([STREAM])
    watch(signals.job)
    watch(signals.connection)
    watch(signals.now)
    expect(environment.sources).toHaveLength(1)
  })

  test('createJobSignal closes a second after the last watcher left, and leaves nothing behind', async () => {
    const { environment, signals } = open()
    const watchers = [watch(signals.job), watch(signals.timeLeft), watch(signals.lastSeen)]
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    for (const { stop } of watchers) stop()
    await environment.clock.advance(999)
    expect(environment.source.isOpen).toBe(true)
    await environment.clock.advance(1)
    expect(environment.source.isOpen).toBe(false)
    expect(environment.clock.pending).toBe(0)
    expect(environment.draw()).toBe(0)
  })

  test('createJobSignal stays open for one who leaves and comes back', async () => {
    const { environment, signals } = open()
    watch(signals.job).stop()
    await gather(environment)
    await environment.clock.advance(500)
    watch(signals.job)
    await environment.clock.advance(5_000)
    expect(environment.sources).toHaveLength(1)
    expect(environment.source.isOpen).toBe(true)
  })

  test('createJobSignal goes on where it was when it is watched again', async () => {
    const { environment, signals } = open()
    const { stop } = watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    stop()
    await environment.clock.advance(1_000)
    const { seen } = watch(signals.job)
    await gather(environment)
    expect(environment.source.url).toBe(`${STREAM}%40e1-1`)
    expect(seen).toEqual([running])
  })
})

describe('createJobSignal: what it shows', () => {
  test('createJobSignal folds every message, and shows them once a frame', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.job)
    const events = placed([
      { type: 'progress', done: 13, total: 100 },
      { type: 'item', id: 'a', status: 'failed', error: 'No space left' },
      { type: 'error', message: 'No space left', itemId: 'a' },
    ])
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    expect(seen).toEqual([undefined, running])
    for (const event of events) environment.source.send(event.type === 'error' ? 'job-error' : event.type, event)
    expect(seen).toHaveLength(2)
    expect(environment.draw()).toBe(1)
    expect(seen).toHaveLength(3)
    expect(seen[2]).toEqual(events.reduce(applyEvent, running))
    expect(signals.percent.value).toBe(13)
    expect(environment.draw()).toBe(0)
  })

  test('createJobSignal tells of one item only when that item changes, and not while pages of others arrive', async () => {
    const { environment, signals } = open()
    const [a, b] = [watch(signals.item('a')), watch(signals.item('b'))]
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    for (const event of placed([
      { type: 'item', id: 'a', status: 'running' },
      { type: 'item', id: 'b', status: 'running' },
      { type: 'item', id: 'b', status: 'succeeded' },
      { type: 'progress', done: 1 },
    ])) {
      environment.source.send(event.type, event)
      environment.draw()
    }
    expect(a.seen.map((item) => item?.status)).toEqual([undefined, 'running'])
    expect(b.seen.map((item) => item?.status)).toEqual([undefined, 'running', 'succeeded'])
    const { steps, items, errors, logs, ...header } = { ...running, version: 9 }
    const item = { id: 'a', index: 0, version: 9, status: 'failed' as const }
    environment.source.send('patch', { from: 5, to: 9, more: true, job: header, items: [item] })
    environment.draw()
    expect(a.seen).toHaveLength(2)
    environment.source.send('patch', { from: 9, to: 10, job: { ...header, version: 10 } })
    environment.draw()
    expect(a.seen.at(-1)?.status).toBe('failed')
    expect(b.seen).toHaveLength(3)
  })

  test('createJobSignal shows pages only when they are all there', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.job)
    const first = { ...newDocument(), version: 5, more: true as const }
    const item = (id: string, index: number, version: number) => ({ id, index, version, status: 'pending' as const })
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...first, items: [item('b', 1, 5)] })
    environment.draw()
    expect(seen).toEqual([undefined])
    const last = { ...newDocument(), version: 9, itemCounts: { ...first.itemCounts, pending: 2 } }
    const { steps, items, errors, logs, ...header } = last
    environment.source.send('patch', { from: 5, to: 9, job: header, items: [item('a', 0, 9)] })
    environment.draw()
    expect(seen[1]).toEqual({ ...last, items: [item('a', 0, 9), item('b', 1, 5)] })
  })

  test('createJobSignal leaves the document that it shows whole while pages of a patch arrive', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    const shown = signals.job.value as Job
    const { steps, items, errors, logs, ...header } = { ...running, version: 4 }
    const item = { id: 'b', index: 1, version: 4, status: 'pending' as const }
    environment.source.send('patch', { from: 1, to: 4, more: true, job: header, items: [item] })
    environment.draw()
    expect(signals.job.value).toBe(shown)
    expect(shown.items).toEqual([])
    environment.source.send('patch', {
      from: 4,
      to: 6,
      job: { ...header, version: 6 },
      items: [{ ...item, id: 'a', index: 0 }],
    })
    environment.draw()
    expect(signals.job.value?.items.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test('createJobSignal asks for the whole document when something is missing, and keeps what it shows', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    const [, missed] = placed([
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
    ])
    environment.source.send('progress', missed)
    await gather(environment)
    expect(environment.sources.map(({ url, isOpen }) => [url, isOpen])).toEqual([
      [STREAM, false],
      [STREAM, true],
    ])
    environment.draw()
    expect(signals.job.value).toEqual(running)
  })

  test('createJobSignal takes a new life of the job for what it is', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, version: 40 })
    environment.source.send('snapshot', { ...newDocument(), epoch: 'e2' })
    environment.draw()
    expect(signals.job.value).toEqual(newDocument({ epoch: 'e2' }))
  })

  test('createJobSignal shows the job as it ended together with the end', async () => {
    const { environment, signals } = open()
    const seen: unknown[] = []
    stops.push(
      effect(() => {
        seen.push([signals.connection.value, signals.job.value?.status])
      }),
    )
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    const [completed] = placed([{ type: 'status', status: 'completed' }])
    environment.source.send('status', completed)
    environment.source.send('end', { reason: 'completed' })
    expect(seen).toEqual([
      ['connecting', undefined],
      ['live', 'running'],
      ['ended', 'completed'],
    ])
    expect(environment.source.isOpen).toBe(false)
  })

  test('createJobSignal does not take the end of a stream for the end of the job', async () => {
    const { environment, signals } = open()
    watch(signals.connection)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.source.send('end', { reason: 'completed' })
    await gather(environment)
    expect(signals.connection.value).toBe('live')
    expect([environment.sources.length, environment.source.url]).toEqual([2, STREAM])
  })

  test('createJobSignal shows what polls bring while the stream is mute', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    await environment.clock.advance(8_000)
    expect(environment.request.url).toBe('/api/jobs/job-1?parts=all')
    await environment.request.answer(200, running)
    environment.draw()
    expect(signals.job.value).toEqual(running)
    await environment.clock.advance(8_000)
    expect(environment.request.url).toBe('/api/jobs/job-1?parts=all&since=e1-1')
    const { steps, items, errors, logs, ...header } = { ...running, version: 3, status: 'cancelled' as const }
    await environment.request.answer(200, { from: 1, to: 3, job: header })
    expect(signals.job.value?.status).toBe('cancelled')
    expect(signals.connection.value).toBe('ended')
  })
})

describe('createJobSignal: a server that was restored from a backup', () => {
  test('createJobSignal takes an older version from a snapshot or a poll, and goes on from there', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    const at = (version: number) => ({ ...running, version, progress: { done: version } })
    const { steps, items, errors, logs, ...header } = at(51)
    const shown = () => {
      environment.draw()
      return [signals.job.value?.version, signals.job.value?.progress.done]
    }
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', at(97))
    expect(shown()).toEqual([97, 97])
    await environment.clock.advance(15_000)
    environment.source.lose()
    environment.source.open()
    environment.source.send('snapshot', at(50))
    environment.source.send('patch', { from: 50, to: 51, job: header })
    expect(shown()).toEqual([51, 51])
    await environment.clock.advance(15_000)
    environment.source.lose()
    expect(environment.source.url).toBe(`${STREAM}%40e1-51`)
    environment.source.refuse()
    await environment.request.answer(200, at(20))
    expect(shown()).toEqual([20, 20])
    environment.source.refuse()
    await environment.request.answer(200, { from: 0, to: 7, job: { ...header, version: 7 } })
    expect([shown()[0], environment.source.url]).toEqual([7, `${STREAM}%40e1-7`])
  })
})

describe('createJobSignal: time', () => {
  test('createJobSignal tells the time by the Date of a poll, and more exactly by a ping, on a device that is fast', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:02:00.000Z' }))
    watch(signals.job)
    watch(signals.now)
    await gather(environment)
    environment.source.open()
    await environment.clock.advance(8_000)
    await environment.request.answer(200, running, { date: 'Thu, 01 Jan 2026 00:00:08 GMT' })
    environment.draw()
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:00:09.480Z'))
    environment.source.send('ping', { at: '2026-01-01T00:00:09.900Z', version: 1 })
    await environment.clock.advance(8_000)
    // To the second it says the same.
    environment.source.lose()
    await environment.clock.advance(3_000)
    environment.source.refuse()
    await environment.request.answer(200, running, { date: 'Thu, 01 Jan 2026 00:00:20 GMT' })
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(environment.clock.now() - 119_140)
  })

  test('createJobSignal tells the time by the clock of the server', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:00:00.000Z' }))
    watch(signals.now)
    watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.source.send('ping', { at: '2026-01-01T00:10:00.000Z', version: 1 })
    await environment.clock.advance(1_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:10:00.980Z'))
    await environment.clock.advance(2_000)
    expect(signals.now.value).toBe(Date.parse('2026-01-01T00:10:02.980Z'))
  })

  test('createJobSignal knows when it last heard of the server', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T01:00:00.000Z' }))
    watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    await environment.clock.advance(12_000)
    environment.source.lose()
    await environment.clock.advance(2_000)
    environment.source.lose()
    expect(signals.connection.value).toBe('reconnecting')
    expect(signals.lastSeen.value).toBe(Date.parse('2026-01-01T01:00:00.020Z'))
    expect(signals.now.value).toBe(Date.parse('2026-01-01T01:00:14.020Z'))
  })

  test('createJobSignal estimates the rate and, coarsely, the time left', async () => {
    const { environment, signals } = open({}, new FakeEnvironment({ now: '2026-01-01T00:00:00.000Z' }))
    const { seen } = watch(signals.timeLeft)
    watch(signals.rate)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, lastEventAt: instantOf(1) })
    for (let version = 2; version <= 40; version++) {
      await environment.clock.advance(1_000)
      const [event] = placed([{ type: 'progress', done: (version - 1) * 10, total: 1_000 }], version)
      environment.source.send('progress', event)
      environment.draw()
    }
    expect(signals.rate.value).toBeCloseTo(10)
    expect(seen).toEqual([undefined, 120, 60])
  })

  test('createJobSignal of a job in mid-run has rate and time left from the first message on', async () => {
    const done = (event: number) => ({ type: 'progress' as const, done: event * 10, total: 1_000 })
    const inMidRun = foldAll(running, placed(Array.from({ length: 40 }, (_, index) => done(index))))
    const { environment, signals } = open({}, new FakeEnvironment({ now: inMidRun.updatedAt }))
    watch(signals.timeLeft)
    watch(signals.rate)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', inMidRun)
    environment.draw()
    expect(signals.rate.value).toBeCloseTo(10)
    expect(signals.timeLeft.value).toBe(60)
  })

  test('createJobSignal lets no time pass between ticks, however much is drawn meanwhile', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.now)
    const heard = watch(signals.lastSeen)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    const before = [seen.length, heard.seen.length]
    for (const event of placed([
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
    ])) {
      await environment.clock.advance(400)
      environment.source.send('progress', event)
      expect(environment.draw()).toBe(1)
    }
    expect([seen.length, heard.seen.length]).toEqual(before)
    await environment.clock.advance(200)
    expect([seen.length, heard.seen.length]).toEqual(before.map((count) => count + 1))
    expect(signals.job.value?.progress.done).toBe(2)
  })

  test('createJobSignal ticks once a second, and once a minute after the end', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.now)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, status: 'failed' })
    environment.source.send('end', { reason: 'failed' })
    await environment.clock.advance(1_000)
    const before = seen.length
    await environment.clock.advance(59_979)
    expect(seen).toHaveLength(before)
    await environment.clock.advance(1)
    expect(seen).toHaveLength(before + 1)
  })
})

describe('createJobSignal: errors', () => {
  test('createJobSignal says that there is no such job', async () => {
    const { environment, signals } = open({ bearer: 't' })
    watch(signals.error)
    await gather(environment)
    await environment.request.answer(404, {})
    await environment.clock.advance(2_000)
    await environment.request.answer(404, {})
    expect(signals.error.value).toBe('not-found')
  })

  test('createJobSignal says that access has run out, and keeps what it has', async () => {
    const { environment, signals } = open()
    watch(signals.error)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.source.send('end', { reason: 'token-expired' })
    expect(signals.error.value).toBe('expired')
    expect(signals.job.value).toEqual(running)
  })

  test('createJobSignal says that the server is out of reach only while it has nothing to show', async () => {
    const { environment, signals } = open()
    watch(signals.error)
    await gather(environment)
    environment.source.lose()
    expect(signals.error.value).toBe('unreachable')
    environment.page.dispatchEvent(new Event('visibilitychange'))
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    environment.source.lose()
    expect(signals.connection.value).toBe('reconnecting')
    expect(signals.error.value).toBeUndefined()
  })
})

describe('createJobSignal: where the job is', () => {
  test.each<[JobSignalOptions, stream: string]>([
    [{ jobId: 'a~b' }, '/api/progress?parts=all&job=a%7Eb'],
    [{ jobId: 'a', baseUrl: '/jobs/' }, '/jobs/api/progress?parts=all&job=a'],
    [{ jobId: 'a', token: 't.t' }, '/api/progress?parts=all&job=a&token=t.t'],
    [{ url: '/api/jobs/a' }, '/api/progress?parts=all&job=a'],
    [{ url: 'https://x.example/api/jobs/a/' }, 'https://x.example/api/progress?parts=all&job=a'],
    [
      { url: 'https://x.example/api/jobs/a/progress?token=t&since=e-1' },
      'https://x.example/api/progress?parts=all&job=a&token=t',
    ],
    [{ url: '/api/jobs/a#top', parts: 'header' }, '/api/progress?parts=header&job=a'],
  ])('createJobSignal of %p reads %p', async (options, stream) => {
    const { environment, signals } = open({ jobId: undefined, ...options } as JobSignalOptions)
    watch(signals.job)
    await gather(environment)
    expect(environment.source.url).toBe(stream)
  })

  test('createJobSignal sends a bearer token in a header, never in a URL', async () => {
    const { environment, signals } = open({ bearer: 'secret' })
    watch(signals.job)
    await gather(environment)
    expect(environment.sources).toHaveLength(0)
    expect(environment.request.url).toBe(STREAM)
    expect(environment.request.headers.get('authorization')).toBe('Bearer secret')
  })
})

describe('getJobSignal', () => {
  test('getJobSignal is one and the same for the same job and right, and another for others', async () => {
    const environment = new FakeEnvironment()
    const one = getJobSignal({ jobId: 'a', environment })
    expect(getJobSignal({ url: '/api/jobs/a/progress', environment })).toBe(one)
    expect(getJobSignal({ jobId: 'a', token: 't', environment })).not.toBe(one)
    expect(getJobSignal({ jobId: 'a', bearer: 't', environment })).not.toBe(one)
    expect(getJobSignal({ jobId: 'a', parts: 'header', environment })).not.toBe(one)
    expect(getJobSignal({ jobId: 'a', environment: new FakeEnvironment() })).not.toBe(one)
    expect(getJobSignal({ jobId: 'a' })).toBe(getJobSignal({ jobId: 'a' }))
  })
})
