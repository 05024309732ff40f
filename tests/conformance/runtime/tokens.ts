import { describe, expect, test } from 'bun:test'
import { ApiClient, unique } from '../../support/api-client.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Tokens of single jobs, for those who have no account. */
export function describeTokens(subject: RuntimeSubject): void {
  describe('POST /api/jobs/:id/tokens', () => {
    test('POST …/tokens answers a watch token with the absolute address of the stream', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const response = await ada.request('POST', `api/jobs/${id}/tokens`, {})
      expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
      const { token, url, expiresAt, ...rest } = (await response.json()) as Record<string, string>
      expect(rest).toEqual({})
      expect(url).toBe(`${subject.server.url}api/jobs/${id}/progress?token=${token}`)
      const lasts = Date.parse(expiresAt ?? '') - Date.now()
      expect(Math.abs(lasts - 3_600_000)).toBeLessThan(60_000)
      const publish = await ada.share(id, { can: 'publish', seconds: 60 })
      for (const made of [token, publish.token])
        expect(made).toMatch(/^mpst_(watch|publish)_eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
      expect(publish.url).toBe(`${subject.server.url}api/jobs/${id}/events`)
    })

    test('POST …/tokens answers a token that runs out no later than the one that it was asked for with', async () => {
      const exp = Math.floor(Date.now() / 1_000) + 600
      const ada = new ApiClient(subject.server.url, await accessToken('ada', undefined, { exp }))
      const { id } = await ada.create()
      for (const can of ['watch', 'publish']) {
        const { expiresAt } = await ada.share(id, { can, seconds: 2_592_000 })
        expect(Date.parse(expiresAt)).toBe(exp * 1_000)
      }
    })

    test('POST …/tokens needs no body, and names what is wrong with one', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const path = `api/jobs/${id}/tokens`
      expect((await ada.request('POST', path)).status).toBe(201)
      for (const [body, fields] of [
        [{ can: 'control' }, ['can']],
        [{ seconds: 0 }, ['seconds']],
        [{ seconds: 1.5 }, ['seconds']],
        [{ seconds: 2_592_001 }, ['seconds']],
        [{ job: 'other' }, ['job']],
        [{ parts: 'all' }, ['parts']],
        [{ can: 'publish', parts: 'header' }, ['parts']],
      ] as const)
        expect(await ada.refusal('POST', path, body)).toEqual({ status: 422, fields: [...fields] })
    })
  })

  describe('a watch token', () => {
    test('a watch token reads its job and follows it, in the header or in the URL', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const { token, url } = await ada.share(id)
      const guest = new ApiClient(subject.server.url, token)
      expect((await guest.read(id)).id).toBe(id)
      expect((await subject.anyone.json<{ id: string }>(200, 'GET', `api/jobs/${id}?token=${token}`)).id).toBe(id)
      for (const path of [
        `api/jobs/${id}/progress?token=${token}`,
        `api/jobs/${id}/progress?parts=header&token=${token}`,
        `api/progress?token=${token}`,
        `api/progress?job=${id}&token=${token}`,
      ]) {
        await using stream = await subject.anyone.stream(path)
        expect((await stream.next())?.event).toBe('snapshot')
      }
      await using named = await subject.anyone.stream(url)
      await using bearer = await guest.stream(`api/jobs/${id}/progress`)
      await using all = await guest.stream('api/progress')
      for (const stream of [named, bearer, all]) expect((await stream.next())?.data.id).toBe(id)
    })

    test('a watch token of the header alone shows no more, whatever is asked for', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      const other = await ada.create()
      const events = (n: number) =>
        [
          { type: 'item', id: `i${n}`, label: 'Secret' },
          { type: 'step', id: `s${n}`, label: 'Secret' },
          { type: 'log', message: 'Secret' },
          { type: 'error', message: 'Secret' },
        ] as const
      await ada.publish(id, ...events(0))
      const { token } = await ada.share(id, { parts: 'header' })
      const { token: whole } = await ada.share(other.id)
      const guest = new ApiClient(subject.server.url, token)
      for (const query of ['', '?parts=all', '?parts=header', `?since=${epoch}-1`, `?since=${epoch}-1&parts=all`]) {
        const response = await guest.request('GET', `api/jobs/${id}${query}`)
        const text = await response.text()
        expect([query, text.includes('Secret'), /"(steps|items|logs|errors)"/.test(text)]).toEqual([
          query,
          false,
          false,
        ])
        expect(JSON.parse(text).job ?? JSON.parse(text)).toMatchObject({ id, version: 5, errorCount: 1, logCount: 1 })
        // A cache must not take it for what others see at this address.
        expect(response.headers.get('vary')?.toLowerCase()).toContain('authorization')
      }
      const paths = [
        `api/jobs/${id}/progress`,
        `api/jobs/${id}/progress?parts=all`,
        `api/jobs/${id}/progress?since=${epoch}-1`,
        `api/progress`,
        `api/progress?job=${id}@${epoch}-1&parts=all`,
      ]
      const streams = await Promise.all(paths.map((path) => guest.stream(path)))
      const mixed = await subject.anyone.stream(`api/progress?parts=all&token=${token}&token=${whole}`)
      for (const stream of streams) await stream.next()
      const messages = await mixed.take(2)
      for (const job of [id, other.id]) {
        await ada.publish(job, ...events(1))
        await ada.publish(job, { type: 'status', status: 'completed' })
      }
      for (const stream of streams.filter((_, index) => index < 3)) {
        await stream.rest()
        expect(stream.text).not.toContain('Secret')
      }
      for (const stream of streams.slice(3)) {
        await stream.until(({ event }) => event === 'end')
        expect(stream.text).not.toContain('Secret')
        await stream.close()
      }
      for (const _ of [id, other.id]) messages.push(...(await mixed.until(({ event }) => event === 'end')))
      await mixed.close()
      // The other token shows all of its own job.
      const shown = messages.filter(({ data }) => JSON.stringify(data).includes('Secret')).map(({ data }) => data.jobId)
      expect(new Set(shown)).toEqual(new Set([other.id]))
    })

    test('a watch token is refused everywhere else', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const other = await ada.create()
      const { token } = await ada.share(id)
      const guest = new ApiClient(subject.server.url, token)
      const calls = [
        ['POST', 'api/jobs', { kind: 'k', title: 't' }],
        ['GET', 'api/jobs'],
        ['POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }],
        ['POST', `api/jobs/${id}/cancel`],
        ['POST', `api/jobs/${id}/pause`],
        ['POST', `api/jobs/${id}/resume`],
        ['POST', `api/jobs/${id}/tokens`, {}],
        ['DELETE', `api/jobs/${id}`],
        ['GET', 'metrics'],
      ] as const
      for (const [method, path, body] of calls) {
        expect([path, await guest.refusal(method, path, body)]).toEqual([path, { status: 401, fields: [] }])
        // In the URL it counts nowhere but where EventSource needs it.
        expect((await subject.anyone.refusal(method, `${path}?token=${token}`, body)).status).toBe(401)
      }
      for (const path of [`api/jobs/${other.id}`, `api/jobs/${other.id}/progress`, `api/progress?job=${other.id}`])
        expect(await guest.refusal('GET', path)).toEqual({ status: 404, fields: [] })
      const cookie = { cookie: `milepost_session=${token}` }
      expect((await subject.anyone.refusal('GET', 'api/jobs', undefined, cookie)).status).toBe(401)
      expect((await ada.read(id)).version).toBe(1)
    })

    test('a watch token ends what follows when it runs out, and is refused from then on', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const { id: second } = await ada.create()
      const { token, url } = await ada.share(id, { seconds: 2 })
      const { token: longer } = await ada.share(second)
      await using stream = await subject.anyone.stream(url)
      await using several = await subject.anyone.stream(`api/progress?token=${token}&token=${longer}`)
      const messages = await stream.rest()
      expect(messages.map(({ event, data }) => [event, data.reason])).toEqual([
        ['snapshot', undefined],
        ['end', 'token-expired'],
      ])
      expect(messages.at(-1)?.data).toEqual({ reason: 'token-expired' })
      expect(await subject.anyone.refusal('GET', `api/jobs/${id}/progress?token=${token}`)).toEqual({
        status: 401,
        fields: [],
      })
      // Each job of a stream of several ends with its own token.
      const until = await several.until(({ event }) => event === 'end')
      expect(until.at(-1)?.data).toEqual({ jobId: id, reason: 'token-expired' })
      await ada.publish(second, { type: 'progress', done: 1 })
      expect((await several.next())?.data).toMatchObject({ jobId: second, done: 1 })
    }, 180_000)

    test('a watch token is for one life of its job: an id that is made again is another job', async () => {
      const ada = await subject.client('ada')
      const eve = await subject.client('eve')
      const { id } = await ada.create({ id: unique('reborn') })
      const watch = await ada.share(id)
      const publish = await ada.share(id, { can: 'publish' })
      await ada.request('DELETE', `api/jobs/${id}`)
      const gone = [
        [watch.token, 'GET', `api/jobs/${id}`],
        [watch.token, 'GET', `api/jobs/${id}/progress`],
        [watch.token, 'GET', 'api/progress'],
        [publish.token, 'POST', `api/jobs/${id}/events`],
      ] as const
      for (const owner of [ada, eve]) {
        const made = await owner.create({ id, title: 'Another life' })
        for (const [token, method, path] of gone) {
          const body = method === 'POST' ? { type: 'progress', done: 1 } : undefined
          const refusal = await new ApiClient(subject.server.url, token).refusal(method, path, body)
          expect([path, refusal]).toEqual([path, { status: 404, fields: [] }])
        }
        expect((await owner.read(id)).version).toBe(made.version)
        await owner.request('DELETE', `api/jobs/${id}`)
      }
    })
  })

  describe('DELETE /api/jobs/:id/tokens', () => {
    test('DELETE …/tokens ends all tokens of a job made so far and closes their streams; the document stays as it is', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const { id: second } = await ada.create()
      const path = `api/jobs/${id}`
      const [watch, header, publish, other] = await Promise.all([
        ada.share(id),
        ada.share(id, { parts: 'header' }),
        ada.share(id, { can: 'publish' }),
        ada.share(second),
      ])
      const [guest, worker] = [watch, publish].map(({ token }) => new ApiClient(subject.server.url, token))
      if (!guest || !worker) throw new Error('No clients')
      await worker.publish(id, { type: 'progress', done: 1 })
      const streams = await Promise.all([
        guest.stream(`${path}/progress`),
        subject.anyone.stream(`${path}/progress?token=${header.token}`),
        guest.stream('api/progress'),
      ])
      await using several = await subject.anyone.stream(`api/progress?token=${watch.token}&token=${other.token}`)
      await using own = await ada.stream(`${path}/progress`)
      const before = await ada.request('GET', path)
      expect((await ada.request('DELETE', `${path}/tokens`)).status).toBe(204)
      for (const stream of streams.slice(0, 2))
        expect((await stream.rest()).at(-1)?.data).toEqual({ reason: 'token-expired' })
      for (const stream of [...streams.slice(2), several]) {
        const messages = await stream.until(({ event }) => event === 'end')
        expect(messages.at(-1)?.data).toEqual({ jobId: id, reason: 'token-expired' })
      }
      await streams[2]?.close()
      for (const { token } of [watch, header]) {
        const ended = new ApiClient(subject.server.url, token)
        for (const read of [path, `${path}/progress`, 'api/progress', `api/progress?job=${id}`])
          expect([read, await ended.refusal('GET', read)]).toEqual([read, { status: 401, fields: [] }])
      }
      const event = { type: 'progress', done: 2 } as const
      expect(await worker.refusal('POST', `${path}/events`, event)).toEqual({ status: 401, fields: [] })
      const after = await ada.request('GET', path)
      expect(after.headers.get('etag')).toBe(before.headers.get('etag'))
      expect(await after.json()).toEqual(await before.json())
      // Those of other jobs, and those made from now on, hold.
      await ada.publish(second, event)
      expect((await several.until(({ data }) => data.done === 2)).at(-1)?.data.jobId).toBe(second)
      const { token } = await ada.share(id, { can: 'publish' })
      expect((await new ApiClient(subject.server.url, token).publish(id, event)).version).toBe(3)
      await own.until(({ data }) => data.version === 3)
    })

    test('DELETE …/tokens is for the owner and the creator, of a job that has ended too', async () => {
      const creator = await subject.client('creator', 'jobs:write jobs:assign')
      const { id } = await creator.create({ owner: 'owner' })
      const path = `api/jobs/${id}/tokens`
      const { token } = await creator.share(id)
      const statusOf = async (who: ApiClient) => (await who.request('DELETE', path)).status
      expect(await statusOf(await subject.client('stranger'))).toBe(404)
      expect(await statusOf(await subject.client('owner', 'jobs:write'))).toBe(403)
      expect(await statusOf(new ApiClient(subject.server.url, token))).toBe(401)
      expect((await new ApiClient(subject.server.url, token).read(id)).id).toBe(id)
      await creator.publish(id, { type: 'status', status: 'completed' })
      expect(await statusOf(creator)).toBe(204)
      expect(await statusOf(await subject.client('owner', 'jobs:read'))).toBe(204)
      expect((await (await subject.client('owner')).read(id)).version).toBe(2)
      expect(await statusOf(await subject.client('root', 'jobs:admin'))).toBe(204)
    })
  })

  describe('a publish token', () => {
    test('a publish token publishes to its job, and nothing else', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      const other = await ada.create()
      const { token } = await ada.share(id, { can: 'publish' })
      const worker = new ApiClient(subject.server.url, token)
      expect((await worker.publish(id, { type: 'progress', done: 1 })).version).toBe(2)
      const calls = [
        ['GET', `api/jobs/${id}`],
        ['GET', `api/jobs/${id}/progress`],
        ['GET', 'api/progress'],
        ['GET', `api/jobs/${id}?token=${token}`],
        ['GET', 'api/jobs'],
        ['POST', 'api/jobs', { kind: 'k', title: 't' }],
        ['POST', `api/jobs/${id}/cancel`],
        ['POST', `api/jobs/${id}/tokens`, {}],
        ['DELETE', `api/jobs/${id}`],
      ] as const
      for (const [method, path, body] of calls)
        expect([path, (await worker.refusal(method, path, body)).status]).toEqual([path, 401])
      const event = { type: 'progress', done: 1 }
      expect((await worker.refusal('POST', `api/jobs/${other.id}/events`, event)).status).toBe(404)
      expect((await subject.anyone.refusal('POST', `api/jobs/${id}/events?token=${token}`, event)).status).toBe(401)
    })
  })
}
