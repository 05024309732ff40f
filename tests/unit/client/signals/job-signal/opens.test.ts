import { afterEach, describe, expect, test } from 'bun:test'
import type { JobSignalOptions } from '../../../../../client/signals/job-signal.ts'
import { getJobSignal } from '../../../../../client/signals/shared-job-signal.ts'
import { FakeEnvironment } from '../../../../fake-environment.ts'
import { gather, open, running, STREAM, stops, watch } from './test-signal.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

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
