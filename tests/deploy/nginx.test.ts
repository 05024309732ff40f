import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:tls'
import type { Job } from '../../shared/document/job.ts'
import { EventStreamParser } from '../event-stream-parser.ts'
import { ApiClient } from '../support/api-client.ts'
import { missingNginx, Nginx } from '../support/nginx.ts'
import { onDeno } from '../support/on-deno.ts'
import { ReportClient } from '../support/report-client.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const missing = missingNginx()
if (missing) console.log(`The proxy is not tested: ${missing}`)

/** What a proxy that is not told where it stands has to tell the server. */
const trusting = { MILEPOST_BASE_PATH: '/mp', MILEPOST_TRUSTED_PROXIES: '127.0.0.1' }

for (const [name, launch] of [
  ['bun', onBun],
  ['deno', onDeno('sqlite')],
] satisfies [string, Launch][]) {
  describe.skipIf(missing !== undefined)(`nginx in front of ${name}`, () => {
    let server: ServerProcess
    let nginx: Nginx
    beforeAll(async () => {
      server = await ServerProcess.start(trusting, launch)
      // As shipped, but that it does not wait for ten seconds.
      nginx = await Nginx.start(server.url, (config) =>
        config.replace('client_header_timeout 10s', 'client_header_timeout 1s'),
      )
    }, 180_000)
    afterAll(async () => {
      await nginx?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
    })

    const request = async (method: string, path: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${await accessToken('ada')}`, 'content-type': 'application/json' }
      return nginx.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    }

    test(`nginx passes on the WebSocket of a producer to a server on ${name}`, async () => {
      await request('POST', 'mp/api/jobs', { id: 'reported', kind: 'k', title: 't' })
      const headers = { authorization: `Bearer ${await accessToken('ada')}` }
      const socket = await ReportClient.open(`${nginx.url}mp/`, headers, nginx.ca)
      const events = [{ type: 'status', status: 'running' }]
      expect(await socket.ask({ n: 1, job: 'reported', events })).toMatchObject({ n: 1, version: 2 })
      await request('POST', 'mp/api/jobs/reported/cancel')
      expect(await socket.next()).toMatchObject({ job: 'reported', cancelRequested: true })
      await socket.close()
    })

    test(`nginx ends TLS for a server on ${name} under a path: sign-in, cookies, pages and links are those of outside`, async () => {
      const code = new URL(server.signInLink).searchParams.get('code')
      const signIn = await nginx.fetch(`mp/sign-in?code=${code}`)
      expect([signIn.status, signIn.headers.get('location')]).toEqual([303, '/mp/'])
      const set = signIn.headers.get('set-cookie') ?? ''
      expect(set).toMatch(
        /^__Secure-milepost_session=[\w.-]+; Max-Age=43200; Path=\/mp\/; HttpOnly; Secure; SameSite=Lax$/,
      )
      const headers = { cookie: set.split(';')[0] ?? '' }
      const page = await nginx.fetch('mp/', { headers })
      expect([page.status, (await page.text()).includes('<base href="/mp/">')]).toEqual([200, true])
      expect((await nginx.fetch('mp/dashboard.js')).status).toBe(200)
      const created = await request('POST', 'mp/api/jobs', { id: 'linked', kind: 'k', title: 't' })
      expect([created.status, created.headers.get('location')]).toEqual([201, '/mp/api/jobs/linked'])
      const { url } = (await (await request('POST', 'mp/api/jobs/linked/tokens', {})).json()) as { url: string }
      expect(url).toStartWith(`${nginx.url}mp/api/jobs/linked/progress?token=`)
      const signOut = (origin: string) =>
        nginx.fetch('mp/sign-out', { method: 'POST', headers: { ...headers, origin } })
      expect((await signOut('https://evil.example')).status).toBe(403)
      expect((await signOut(new URL(nginx.url).origin)).status).toBe(303)
    })

    test(`nginx passes on each event of a stream from ${name} as it comes`, async () => {
      const job = (await (await request('POST', 'mp/api/jobs', { kind: 'k', title: 't' })).json()) as Job
      const response = await request('GET', `mp/api/jobs/${job.id}/progress`)
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      const parser = new EventStreamParser()
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      const until = async (isIt: (event: string, data: Record<string, unknown>) => boolean) => {
        while (!parser.dispatched.some(({ event, data }) => isIt(event, JSON.parse(data)))) {
          const { value, done } = await reader.read()
          if (done) throw new Error('The stream has ended')
          parser.push(value)
        }
      }
      await until((event) => event === 'snapshot')
      for (const done of [1, 2, 3]) {
        await request('POST', `mp/api/jobs/${job.id}/events`, { type: 'progress', done })
        // Nothing else is on its way: what a proxy kept back would never come.
        await until((event, data) => event === 'progress' && data.done === done)
      }
      await reader.cancel()
    })

    test(`nginx cuts off who sends half of a request's headers to ${name}`, async () => {
      const { port } = new URL(nginx.url)
      const socket = connect({ host: '127.0.0.1', port: Number(port), servername: 'localhost', ca: nginx.ca })
      const closed = Promise.withResolvers<void>()
      socket.on('close', () => closed.resolve())
      socket.on('secureConnect', () => socket.write('GET /mp/healthz HTTP/1.1\r\nhost: localhost\r\nx-half: '))
      socket.resume()
      await closed.promise
      expect((await nginx.fetch('mp/healthz')).status).toBe(200)
    })

    test(`a server on ${name} believes nobody but its proxy`, async () => {
      const direct = new ApiClient(server.url, await accessToken('ada'))
      const { id } = await direct.create()
      const forged = { host: 'evil.example', origin: 'https://evil.example' }
      const path = `/mp/api/jobs/${id}/progress?token=`
      // This machine is the proxy's, so what it says is believed, but only where it says it.
      const { url } = await direct.json<{ url: string }>(201, 'POST', `api/jobs/${id}/tokens`, {}, forged)
      expect(url).toStartWith(`http://evil.example${path}`)
      await using other = await ServerProcess.start({ MILEPOST_TRUSTED_PROXIES: '10.0.0.0/8' }, launch)
      const stranger = new ApiClient(other.url, await accessToken('ada'))
      const { id: theirs } = await stranger.create()
      const claims = { ...forged, 'x-forwarded-for': '10.0.0.1', 'x-forwarded-host': 'evil.example' }
      const answer = await stranger.json<{ url: string }>(201, 'POST', `api/jobs/${theirs}/tokens`, {}, claims)
      expect(answer.url).toStartWith(`/api/jobs/${theirs}/progress?token=`)
    })
  })
}
