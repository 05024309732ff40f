import { afterEach, describe, expect, test } from 'bun:test'
import { FakeEnvironment } from '../../../../../fake-environment.ts'
import { AT, gather, open, refuse, running, send, stops } from './test-followed.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

describe('followHeader', () => {
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
})
