import { afterAll, beforeAll, expect, test } from 'bun:test'
import { IdentityProvider } from '../support/identity-provider.ts'
import { ServerProcess } from '../support/server-process.ts'

const AUDIENCE = 'https://progress.example.com'

let provider: IdentityProvider
let server: ServerProcess

beforeAll(async () => {
  provider = new IdentityProvider()
  await provider.start('first:RS256')
  server = await ServerProcess.start({
    MILEPOST_JWKS_URL: `${provider.url}/jwks`,
    MILEPOST_ISSUER: provider.url,
    MILEPOST_AUDIENCE: AUDIENCE,
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider.stop()
})

function request(token: string, path: string, body?: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return fetch(new URL(path, server.url), body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers })
}

test('a server accepts what its provider signs for it, through a rotation of keys and while the provider is away', async () => {
  const token = await provider.token(AUDIENCE)
  const created = await request(token, 'api/jobs', { id: 'j', kind: 'k', title: 't' })
  expect([created.status, await created.json()]).toMatchObject([201, { owner: 'backend', createdBy: 'backend' }])
  const isRunning = { type: 'status', status: 'running' }
  expect((await request(token, 'api/jobs/j/events', isRunning)).status).toBe(200)
  // For another service, by the same provider.
  expect((await request(await provider.token('https://other.example.com'), 'api/jobs')).status).toBe(401)
  expect((await request(`${token.slice(0, -6)}AAAAAA`, 'api/jobs')).status).toBe(401)

  await provider.stop()
  expect((await request(token, 'api/jobs/j')).status).toBe(200)

  for (const keys of ['second:ES256', 'third:EdDSA,second:ES256']) {
    await provider.start(keys)
    const next = await provider.token(AUDIENCE)
    expect([keys, (await request(next, 'api/jobs/j')).status]).toEqual([keys, 200])
    await provider.stop()
  }
  expect(server.output).not.toContain(token)
})

test('a server that starts while its provider is away says so, and takes its own tokens', async () => {
  await provider.start('fourth:ES256')
  const token = await provider.token(AUDIENCE)
  await provider.stop()
  await server.kill()
  await server.restart()
  const away = await request(token, 'api/jobs')
  expect([away.status, await away.json()]).toMatchObject([
    503,
    { detail: 'The identity provider does not answer. Try again later.' },
  ])
  expect(server.output).toContain(`MILEPOST_JWKS_URL: no keys from ${provider.url}/jwks`)
  expect((await fetch(server.signInLink, { redirect: 'manual' })).status).toBe(303)
})
