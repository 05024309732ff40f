import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import type { JobFacts } from '../../../../../client/connection/job-facts.ts'
import { locateJob } from '../../../../../client/connection/job-url.ts'
import { followHeader } from '../../../../../client/connection/jobs/follow-header.ts'
import { createFormat } from '../../../../../client/text/format.ts'
import { english } from '../../../../../client/text/language.ts'
import { describeJob } from '../../../../../client/text/words.ts'
import { foldAll, newDocument, newHeader, placed } from '../../../../arbitraries.ts'
import { FakeEnvironment } from '../../../../fake-environment.ts'
import { settle } from '../../../../virtual-clock.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

const AT = 'https://progress.example/app'

/** Follows a job, and answers with what was shown of it last. */
function open(environment: FakeEnvironment, id: string, token: string | null = null): { shown: JobFacts } {
  const followed: { shown?: JobFacts } = {}
  stops.push(
    followHeader(locateJob(`${AT}/api/jobs/${id}`, token), environment, (facts) => {
      followed.shown = facts
    }),
  )
  const { shown } = followed
  if (!shown) throw new Error('Nothing was shown at once')
  return Object.assign(followed, { shown })
}

/** Time enough for jobs to be gathered into one stream. */
const gather = (environment: FakeEnvironment) => environment.clock.advance(20)

/** The stream is refused; then each of its jobs is asked for by itself. */
const refuse = (environment: FakeEnvironment) => {
  environment.source.refuse()
  return settle()
}

const running = (id: string, version = 2) => newHeader({ id, version, status: 'running' })
const send = (environment: FakeEnvironment, event: string, id: string, data: object) => {
  environment.source.send(event, { jobId: id, cursor: 'e-1', ...data })
  environment.draw()
}

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

  test('followHeader holds a bad token against its own job alone', async () => {
    const environment = new FakeEnvironment()
    const [good, bad] = [open(environment, 'a', 'good'), open(environment, 'b', 'bad')]
    await gather(environment)
    // The stream is refused for the sake of one; then each is asked for by itself.
    await refuse(environment)
    const [forGood, forBad] = environment.requests
    await forBad?.answer(401, {})
    await forGood?.answer(200, running('a'))
    environment.draw()
    expect([good.shown.job?.id, bad.shown.connection === 'expired']).toEqual(['a', false])
    const cursor = encodeURIComponent(`a@${running('a').epoch}-2`)
    expect(environment.source.url).toBe(`${AT}/api/progress?parts=header&job=${cursor}&token=good`)
    await environment.clock.advance(3_020)
    expect(environment.source.url).toContain('job=b&token=bad')
    await refuse(environment)
    await environment.requests.at(-1)?.answer(401, {})
    await environment.requests.at(-2)?.answer(200, running('a'))
    environment.draw()
    expect([good.shown.job?.id, bad.shown.connection]).toEqual(['a', 'expired'])
    expect(environment.source.url).toBe(`${AT}/api/progress?parts=header&job=${cursor}&token=good`)
  })

  test('followHeader does not believe a refusal in passing', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a', 'good')
    await gather(environment)
    for (let refusals = 0; refusals < 3; refusals++) {
      await refuse(environment)
      await environment.request.answer(401, {})
      // With nothing to ask for, no stream is opened: it would be one of all jobs.
      expect(environment.source.isOpen).toBe(false)
      await environment.clock.advance(3_020)
      environment.source.open()
      // What is here is still the newest: of the job itself nothing is said.
      if (refusals === 0) send(environment, 'snapshot', 'a', running('a'))
      else environment.source.send('ping', { at: new Date(environment.clock.now()).toISOString() })
      environment.draw()
      expect([followed.shown.job?.id, followed.shown.connection]).toEqual(['a', 'live'])
      // Much later the stream is lost, and the next is refused.
      environment.source.lose()
      await environment.nextTry()
    }
    expect(environment.requests.length).toBe(3)
  })

  test('followHeader says that there is no such job when that was said twice', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    await refuse(environment)
    await environment.request.answer(404, {})
    await environment.clock.advance(3_020)
    await refuse(environment)
    await environment.request.answer(404, {})
    environment.draw()
    expect([followed.shown.connection, environment.source.isOpen]).toEqual(['not-found', false])
    await environment.clock.advance(60_000)
    expect(environment.sources.length).toBe(2)
  })

  test.each<[number, string | object]>([
    [404, '<h1>404 Not Found</h1>'],
    [401, { detail: 'Not ours.' }],
    [200, '<h1>Welcome to the WiFi</h1>'],
    [200, { ok: true }],
  ])("followHeader takes a %p that is not the server's for a server that is away: %p", async (status, body) => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    for (let tries = 1; tries <= 4; tries++) {
      await refuse(environment)
      await environment.request.answerForeign(status, body)
      environment.draw()
      expect([environment.sources.length, followed.shown.connection]).toEqual([tries, 'reconnecting'])
      await environment.nextTry()
    }
    environment.source.open()
    send(environment, 'snapshot', 'a', running('a'))
    environment.draw()
    expect([followed.shown.job?.id, followed.shown.connection]).toEqual(['a', 'live'])
  })

  test('followHeader goes on with a job that was refused once when the server is away as it asks again', async () => {
    for (const fail of [
      (environment: FakeEnvironment) => environment.request.fail(),
      (environment: FakeEnvironment) => environment.request.answerForeign(502, '<h1>502 Bad Gateway</h1>'),
    ]) {
      const environment = new FakeEnvironment()
      const followed = open(environment, 'a')
      await gather(environment)
      await refuse(environment)
      await environment.request.answer(404, {})
      await environment.clock.advance(3_020)
      await refuse(environment)
      await fail(environment)
      await environment.nextTry()
      expect(environment.sources.length).toBe(3)
      environment.source.open()
      send(environment, 'snapshot', 'a', running('a'))
      environment.draw()
      expect(followed.shown.connection).toBe('live')
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

  test('followHeader takes a server in need for what it is, and not for a refusal', async () => {
    const environment = new FakeEnvironment()
    const followed = open(environment, 'a')
    await gather(environment)
    await refuse(environment)
    await environment.request.answer(503, {}, { 'retry-after': '1' })
    environment.draw()
    expect(followed.shown.connection).toBe('reconnecting')
    await environment.clock.advance(10_000)
    expect(environment.sources.length).toBe(2)
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

  describe('in a page of another origin', () => {
    const REFUSED = `Milepost: ${AT} lets no page of https://site.example read its jobs. Add https://site.example to its setting MILEPOST_ORIGINS.`

    async function openElsewhere(origin = 'https://site.example') {
      const environment = new FakeEnvironment()
      Object.assign(environment.page, { location: { origin } })
      const followed = open(environment, 'a')
      await gather(environment)
      await refuse(environment)
      return { environment, followed }
    }
    /** Lets requests fail as they do that a browser keeps from a page, but for the one that every page may make. */
    async function keepOut({ request }: FakeEnvironment, isThere = true): Promise<string> {
      const { method, url } = request
      if (url !== `${AT}/widget.js`) await request.fail()
      else if (isThere) await request.answer(200, undefined, { 'content-type': 'text/javascript; charset=utf-8' })
      else await request.answerForeign(200, '')
      return `${method} ${url.split('?')[0]}`
    }

    test('followHeader says that the origin is refused, where the server answers every page but not this one, and tells once how to let it in', async () => {
      const error = spyOn(console, 'error').mockImplementation(() => {})
      try {
        const { environment, followed } = await openElsewhere()
        const asked = [await keepOut(environment), await keepOut(environment), await keepOut(environment)]
        expect(asked).toEqual([`GET ${AT}/api/jobs/a`, `HEAD ${AT}/widget.js`, `GET ${AT}/api/jobs/a`])
        environment.draw()
        expect(followed.shown.connection).toBe('origin-refused')
        await environment.clock.advance(2_000)
        expect(environment.sources).toHaveLength(2)
        await refuse(environment)
        for (let n = 0; n < 3; n++) await keepOut(environment)
        expect(error.mock.calls).toEqual([[REFUSED]])
        // Let in by now.
        await environment.clock.advance(4_000)
        environment.source.open()
        send(environment, 'snapshot', 'a', running('a'))
        expect([followed.shown.connection, followed.shown.job?.version]).toEqual(['live', 2])
      } finally {
        error.mockRestore()
      }
    })

    test('followHeader does not say so of a server that is away, nor of one behind a proxy that answers in its place, nor of its own pages’', async () => {
      const away = await openElsewhere()
      await keepOut(away.environment)
      await away.environment.request.fail()
      const proxied = await openElsewhere()
      await keepOut(proxied.environment)
      await keepOut(proxied.environment, false)
      const own = await openElsewhere('https://progress.example')
      await keepOut(own.environment)
      for (const { environment, followed } of [away, proxied, own]) {
        environment.draw()
        expect(followed.shown.connection).toBe('reconnecting')
      }
    })

    test('followHeader does not say so of a server that falls mute, and aborts what it asked', async () => {
      for (const asked of [1, 2, 3]) {
        const { environment, followed } = await openElsewhere()
        for (let n = 1; n < asked; n++) await keepOut(environment)
        expect(environment.requests.length).toBe(asked)
        await environment.clock.advance(15_000)
        environment.draw()
        expect([environment.request.isOver, followed.shown.connection]).toEqual([true, 'reconnecting'])
      }
    })

    test('followHeader does not say so of a network that was away for a moment', async () => {
      const { environment, followed } = await openElsewhere()
      await keepOut(environment)
      await keepOut(environment)
      await environment.request.answer(200, running('a'))
      environment.draw()
      expect(followed.shown.job?.version).toBe(2)
      expect(followed.shown.connection).not.toBe('origin-refused')
    })
  })
})
