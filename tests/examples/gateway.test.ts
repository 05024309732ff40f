import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missingNginx, Nginx } from '../support/nginx.ts'
import { blocks } from './blocks.ts'
import { compileDocApp, startDocApp } from './doc-app.ts'

const basic = (name: string, password: string) => ({ authorization: `Basic ${btoa(`${name}:${password}`)}` })

/** The status that a request without the gateway gets, from another address of this machine. */
function askDirectly(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const asked = request(url, { headers, localAddress: '127.0.0.2', family: 4 }, (response) => {
    resolve(response.statusCode)
    response.destroy()
  })
  asked.on('error', reject).end()
  return promise
}

test('app.md has an app behind a gateway that compiles', async () => {
  expect(await compileDocApp('isTrustedProxy')).toBe('')
})

const missing = missingNginx()
describe.skipIf(missing !== undefined)('app.md, with nginx as the gateway', () => {
  test('app.md has an app that believes the header of its gateway, and of nobody else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-gateway-'))
    await using app = await startDocApp('isTrustedProxy')
    const users = join(folder, 'users')
    await writeFile(users, ['ada', 'bob'].map((name) => `${name}:{PLAIN}${name}-and-more`).join('\n'))
    const [location = ''] = await blocks('server/docs/app.md', 'nginx')
    const inPlace = location.replace('/etc/nginx/users', users).replace('127.0.0.1:3000', new URL(app.url).host)
    await using nginx = await Nginx.start(app.url, (config) => config.replace(/ {2}location [^}]*\}/, inPlace))
    try {
      const ask = (headers: Record<string, string>, body?: string) =>
        nginx.fetch('progress/api/jobs', {
          headers: { 'content-type': 'application/json', ...headers },
          ...(body === undefined ? {} : { method: 'POST', body }),
        })
      const job = '{"id":"j","kind":"export","title":"Yearly export"}'
      const ours = { 'sec-fetch-site': 'same-origin' }
      const created = await ask({ ...basic('ada', 'ada-and-more'), ...ours, 'x-user': 'bob' }, job)
      expect([created.status, await created.json()]).toMatchObject([201, { owner: 'ada', createdBy: 'ada' }])
      const listed = async (name: string) =>
        (await (await ask(basic(name, `${name}-and-more`))).json()) as { jobs: unknown[] }
      expect([(await listed('ada')).jobs.length, (await listed('bob')).jobs.length]).toEqual([1, 0])
      // The browser sends the password for pages of other sites too.
      expect((await ask({ ...basic('ada', 'ada-and-more'), 'sec-fetch-site': 'cross-site' }, job)).status).toBe(403)
      expect((await ask({ 'x-user': 'ada' })).status).toBe(401)
      const direct = `${app.url.replace('localhost', '127.0.0.1')}/progress/api/jobs`
      expect(await askDirectly(direct, { 'x-user': 'ada', 'x-forwarded-for': '127.0.0.1' })).toBe(401)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
