import { afterEach, describe, expect, test } from 'bun:test'
import type { JobFacts } from '../../../../../../client/connection/job-facts.ts'
import { locateJob } from '../../../../../../client/connection/job-url.ts'
import { followHeader } from '../../../../../../client/connection/jobs/follow-header.ts'
import { createFormat } from '../../../../../../client/text/format.ts'
import { english } from '../../../../../../client/text/language.ts'
import { describeJob } from '../../../../../../client/text/words.ts'
import { foldAll, newDocument, placed } from '../../../../../arbitraries.ts'
import { FakeEnvironment } from '../../../../../fake-environment.ts'
import { settle } from '../../../../../virtual-clock.ts'
import { AT, gather, open, refuse, running, send, stops } from './test-followed.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

describe('followHeader', () => {
  test('followHeader takes one connection for all jobs of a server', async () => {
    const environment = new FakeEnvironment()
    const [a, b] = [open(environment, 'a'), open(environment, 'b')]
    await gather(environment)
    expect(environment.sources.map(({ url }) => url)).toEqual([`${AT}/api/progress?parts=header&job=a&job=b`])
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a'))
    send(environment, 'snapshot', 'b', running('b', 7))
    expect([a.shown.job?.version, b.shown.job?.version]).toEqual([2, 7])
    expect([a.shown.connection, b.shown.connection]).toEqual(['live', 'live'])
  })

  test('followHeader of a job in mid-run tells rate and time left from the first message on', async () => {
    const started = { type: 'status', status: 'running' } as const
    const reports = Array.from({ length: 40 }, (_, index) => ({
      type: 'progress' as const,
      done: index * 10,
      total: 1_000,
    }))
    const { steps, items, errors, logs, ...header } = foldAll(newDocument({ id: 'a' }), placed([started, ...reports]))
    const environment = new FakeEnvironment({ now: header.updatedAt })
    const a = open(environment, 'a')
    await gather(environment)
    environment.source.open()
    send(environment, 'snapshot', 'a', header)
    expect(a.shown.rate).toBeCloseTo(10)
    expect(a.shown.timeLeft).toBe(60)
  })

  test('followHeader goes on from where each job is when another joins', async () => {
    const environment = new FakeEnvironment()
    open(environment, 'a')
    await gather(environment)
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a'))
    open(environment, 'b')
    await gather(environment)
    const { epoch } = running('a')
    const cursor = encodeURIComponent(`a@${epoch}-2`)
    expect(environment.sources.map(({ url, isOpen }) => [url, isOpen])).toEqual([
      [`${AT}/api/progress?parts=header&job=a`, false],
      [`${AT}/api/progress?parts=header&job=${cursor}&job=b`, true],
    ])
  })

  test('followHeader keeps the tokens of pages apart from the cookies of those who are signed in', async () => {
    const environment = new FakeEnvironment()
    open(environment, 'a')
    open(environment, 'b', 'one')
    open(environment, 'c', 'two')
    await gather(environment)
    expect(environment.sources.map(({ url }) => url)).toEqual([
      `${AT}/api/progress?parts=header&job=a`,
      `${AT}/api/progress?parts=header&job=b&token=one&job=c&token=two`,
    ])
  })

  test('followHeader begins another stream where one is full', async () => {
    const environment = new FakeEnvironment()
    for (let i = 0; i < 41; i++) open(environment, `job-${i}`)
    await gather(environment)
    const named = environment.sources.map(({ url }) => new URL(url).searchParams.getAll('job').length)
    expect(named).toEqual([40, 1])
  })

  test('followHeader merges patches, and ignores what it has', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    send(environment, 'snapshot', 'a', { ...running('a'), metadata: { from: 'here' } })
    send(environment, 'patch', 'a', { from: 2, to: 3, job: { ...running('a', 3), message: 'half' } })
    expect([followed.shown.job?.version, followed.shown.job?.message, followed.shown.job?.metadata]).toEqual([
      3,
      'half',
      { from: 'here' },
    ])
    const before = followed.shown.job
    send(environment, 'patch', 'a', { from: 1, to: 2, job: running('a', 2) })
    expect(followed.shown.job).toBe(before)
  })

  test('followHeader ends with its job, and the stream with its last one', async () => {
    const environment = new FakeEnvironment()
    const [a, b] = [open(environment, 'a'), open(environment, 'b')]
    await gather(environment)
    send(environment, 'snapshot', 'a', { ...running('a', 3), status: 'completed' })
    send(environment, 'end', 'a', { reason: 'completed' })
    expect([a.shown.connection, environment.source.isOpen]).toEqual(['ended', true])
    send(environment, 'end', 'b', { reason: 'deleted' })
    expect([b.shown.connection, environment.source.isOpen]).toEqual(['not-found', false])
  })

  test('followHeader asks again when it was told of an end before it was told how', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    send(environment, 'snapshot', 'a', running('a'))
    send(environment, 'end', 'a', { reason: 'failed' })
    await gather(environment)
    expect([environment.sources.length, followed.shown.connection === 'ended']).toEqual([2, false])
  })

  test('followHeader takes an older version from a snapshot, goes on from there, and opens no other stream for it', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a', 97))
    await environment.clock.advance(15_000)
    environment.source.lose()
    await settle()
    // The server was restored from a backup meanwhile.
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a', 50))
    expect(followed.shown.job?.version).toBe(50)
    send(environment, 'patch', 'a', { from: 50, to: 51, job: running('a', 51) })
    expect(followed.shown.job?.version).toBe(51)
    await environment.clock.advance(15_000)
    environment.source.lose()
    await settle()
    expect(environment.source.url).toContain(encodeURIComponent(`a@${running('a').epoch}-51`))
    environment.source.open()
    send(environment, 'patch', 'a', { from: 51, to: 52, job: { ...running('a', 52), status: 'completed' } })
    send(environment, 'end', 'a', { reason: 'completed' })
    await environment.clock.advance(10_000)
    expect([followed.shown.connection, environment.sources.length]).toEqual(['ended', 3])
  })

  test('followHeader takes an older version from a poll, but not from one that comes after a stream', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a', 97))
    environment.source.lose()
    await environment.nextTry()
    await refuse(environment)
    expect(environment.request.url).toBe(`${AT}/api/jobs/a?parts=header`)
    await environment.request.answer(200, running('a', 50))
    environment.draw()
    expect(followed.shown.job?.version).toBe(50)
    await refuse(environment)
    const late = environment.request
    await environment.clock.advance(15_000)
    await environment.nextTry()
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a', 60))
    await late.answer(200, running('a', 55))
    environment.draw()
    expect(followed.shown.job?.version).toBe(60)
  })

  test('followHeader begins anew after an end that does not fit what is here, and asks every few seconds then', async () => {
    const environment = new FakeEnvironment()
    open(environment, 'a')
    await gather(environment)
    for (let streams = 1; streams <= 3; streams++) {
      expect(environment.source.url).toBe(`${AT}/api/progress?parts=header&job=a`)
      environment.source.open()
      send(environment, 'snapshot', 'a', running('a'))
      send(environment, 'end', 'a', { reason: 'completed' })
      const before = environment.clock.now()
      await environment.nextTry()
      expect([environment.sources.length, environment.clock.now() - before > 1_000]).toEqual([streams + 1, streams > 1])
    }
  })

  test('followHeader aborts its polls when nobody watches, and when they take 15 seconds', async () => {
    const environment = new FakeEnvironment()
    for (const id of ['a', 'b']) open(environment, id)
    await gather(environment)
    await refuse(environment)
    await environment.clock.advance(14_999)
    expect(environment.requests.map(({ isOver }) => isOver)).toEqual([false, false])
    await environment.clock.advance(1)
    expect(environment.requests.map(({ isOver }) => isOver)).toEqual([true, true])
    await environment.nextTry()
    await refuse(environment)
    for (const stop of stops.splice(0)) stop()
    await gather(environment)
    expect(environment.requests.map(({ isOver }) => isOver)).toEqual([true, true, true, true])
    expect(environment.clock.pending).toBe(0)
  })

  test('followHeader polls what has no stream, and takes its end from there', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    await refuse(environment)
    await environment.request.answer(200, { ...running('a', 9), status: 'completed' })
    environment.draw()
    expect([followed.shown.job?.version, followed.shown.connection]).toEqual([9, 'ended'])
    expect(environment.sources.every(({ isOpen }) => !isOpen)).toBe(true)
  })

  test('followHeader takes no job for stalled on a device that is two minutes fast', async () => {
    const job = { ...running('a'), heartbeatSeconds: 30 }
    const said = (followed: { shown: JobFacts }) => {
      const { state, line } = describeJob(followed.shown, createFormat(english))
      return [state, line, new Date(followed.shown.now).toISOString()]
    }
    const streamed = new FakeEnvironment({ now: '2026-01-01T00:02:00.000Z' })
    const byPing = open(streamed, 'a')
    await gather(streamed)
    streamed.source.open()
    streamed.source.send('snapshot', { jobId: 'a', cursor: 'e-1', ...job })
    streamed.source.send('ping', { at: '2026-01-01T00:00:04.000Z' })
    streamed.draw()
    expect(said(byPing)).toEqual(['running', '0 so far', '2026-01-01T00:00:04.000Z'])
    expect(byPing.shown.lastSeen).toBe(Date.parse('2026-01-01T00:00:04.000Z'))
    const polled = new FakeEnvironment({ now: '2026-01-01T00:02:00.000Z' })
    const byDate = open(polled, 'a')
    await gather(polled)
    await refuse(polled)
    await polled.request.answer(200, job, { date: 'Thu, 01 Jan 2026 00:00:05 GMT' })
    polled.draw()
    expect(said(byDate)).toEqual(['running', '0 so far', '2026-01-01T00:00:05.500Z'])
  })

  test('followHeader reads the token of a stream URL', async () => {
    const environment = new FakeEnvironment()
    stops.push(followHeader(locateJob(`${AT}/api/jobs/a/progress?token=t1`, null), environment, () => {}))
    await gather(environment)
    expect(environment.source.url).toBe(`${AT}/api/progress?parts=header&job=a&token=t1`)
  })

  test('followHeader leaves nothing behind once nobody watches', async () => {
    const environment = new FakeEnvironment()
    open(environment, 'a')
    await gather(environment)
    send(environment, 'snapshot', 'a', running('a'))
    for (const stop of stops.splice(0)) stop()
    await environment.clock.advance(2_000)
    expect([environment.source.isOpen, environment.clock.pending, environment.draw()]).toEqual([false, 0, 0])
  })
})
