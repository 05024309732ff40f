import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import { FakeEnvironment } from '../../../../../fake-environment.ts'
import { AT, gather, open, refuse, running, send, stops } from './test-followed.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

describe('followHeader', () => {
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
