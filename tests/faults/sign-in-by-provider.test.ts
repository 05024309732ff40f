import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createApp } from '../../server/app.ts'
import { assets } from '../../server/assets.ts'
import type { OidcOptions } from '../../server/auth/oidc.ts'
import { MemoryEngine } from '../../server/engines/memory.ts'
import { problems, refuse } from '../../server/errors.ts'
import type { SessionList } from '../../shared/wire/api.ts'
import { freePort } from '../support/free-port.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'
import { Visitor } from '../support/visitor.ts'

const port = freePort()
const origin = `http://127.0.0.1:${port}`
const appOrigin = `http://127.0.0.1:${freePort()}`
let provider: IdentityProvider
let server: ServerProcess

/** An app in this process, where people sign in by the provider. */
function serveApp(oidc: Partial<OidcOptions> = {}) {
  const engine = new MemoryEngine()
  const told: unknown[] = []
  const app = createApp({
    engine,
    auth: { secret: SECRET },
    oidc: { issuer: provider.url, clientId: 'dashboard', clientSecret: 'dashboard-secret', ...oidc },
    publicOrigin: appOrigin,
    assets,
    onError: (error) => told.push(error),
  })
  const { port, hostname } = new URL(appOrigin)
  const listener = Bun.serve({ port, hostname, fetch: app.fetch })
  return {
    engine,
    told,
    async [Symbol.asyncDispose]() {
      await listener.stop(true)
      await app.close()
    },
  }
}

/** The name of whoever has signed in. */
async function nameOf(visitor: Visitor): Promise<string | undefined> {
  const { sessions } = (await (await visitor.open(`${appOrigin}/api/sessions`)).json()) as SessionList
  return sessions.find(({ current }) => current)?.sub
}

const isCallback = (url: URL) => url.href.startsWith(`${origin}/sign-in/callback`)

beforeAll(async () => {
  provider = new IdentityProvider()
  await provider.start('a:ES256', `${origin}/sign-in/callback,${appOrigin}/sign-in/callback`)
  server = await ServerProcess.start({
    PORT: `${port}`,
    MILEPOST_PUBLIC_URL: origin,
    MILEPOST_OIDC_ISSUER: provider.url,
    MILEPOST_OIDC_CLIENT_ID: 'dashboard',
    MILEPOST_OIDC_CLIENT_SECRET: 'dashboard-secret',
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider.stop()
})

test('a person signs in by the provider, and lands on the page that they asked for', async () => {
  const ada = new Visitor(origin)
  const page = await ada.open(`${origin}/jobs/export-7`)
  expect(page.status).toBe(401)
  const html = await page.text()
  const link = /href="(sign-in\/provider[^"]*)"/.exec(html)?.[1] ?? ''
  expect([link, html]).toEqual([
    'sign-in/provider?job=export-7',
    expect.stringContaining(`Sign in with ${new URL(provider.url).host}`),
  ])
  const landed = await ada.signIn('ada', link)
  expect([landed.status, ada.visited.at(-1)]).toEqual([200, `${origin}/jobs/export-7`])
  const jobs = await ada.open(`${origin}/api/sessions`)
  expect(await jobs.json()).toMatchObject({ sessions: [{ sub: 'ada', current: true }] })
  // What belongs to an attempt is gone with it.
  expect(ada.cookie(`127.0.0.1:${port} milepost_sign_in`)).toBeUndefined()
})

test('a callback that is not of this browser, was used, was changed or is another state signs nobody in', async () => {
  const ada = new Visitor(origin)
  const back = await ada.signIn('ada', 'sign-in/provider', isCallback)
  const callback = new URL(back.headers.get('location') ?? '', provider.url)
  const statusOf = async (visitor: Visitor, url: string) => (await visitor.open(url)).status

  expect(await statusOf(new Visitor(origin), callback.href)).toBe(401)
  const mallory = new Visitor(origin)
  await mallory.open(`${origin}/sign-in/provider`)
  expect(await statusOf(mallory, callback.href)).toBe(401)
  const eve = new Visitor(origin)
  const eves = new URL(
    (await eve.signIn('eve', 'sign-in/provider', isCallback)).headers.get('location') ?? '',
    provider.url,
  )
  eves.searchParams.set('code', callback.searchParams.get('code') ?? '')
  expect(await statusOf(eve, eves.href)).toBe(401)
  expect(await statusOf(ada, `${callback.href}&iss=https://evil.example`)).toBe(401)
  // That attempt is over, and so is its cookie.
  expect(await statusOf(ada, callback.href)).toBe(401)
  expect(await statusOf(ada, `${origin}/`)).toBe(401)
})

test('an email names a person only if the provider has verified it; the log says why', async () => {
  await using app = serveApp({ subClaim: 'email' })
  const ada = new Visitor(appOrigin)
  await ada.signIn('ada')
  expect(await nameOf(ada)).toBe('ada@example.com')
  const mallory = new Visitor(appOrigin)
  const refused = await mallory.signIn('mallory as ada')
  expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('That did not work.')])
  expect((await mallory.open(`${appOrigin}/api/sessions`)).status).toBe(401)
  expect(app.told).toEqual([
    `Sign-in by ${new URL(provider.url).host} failed: MILEPOST_SUB_CLAIM: it has an email that the provider has not verified (email_verified is not true)`,
  ])
})

test('a claim of the provider puts a person into a tenant; one that is no name signs nobody in, and the log says why', async () => {
  await using app = serveApp({ tenantClaim: 'org' })
  const [ada, bob, eve] = [new Visitor(appOrigin), new Visitor(appOrigin), new Visitor(appOrigin)]
  await ada.signIn('ada of acme')
  await bob.signIn('bob')
  expect([await nameOf(ada), await nameOf(bob)]).toEqual(['ada of acme', 'bob'])
  const authorization = `Bearer ${await accessToken('root', 'jobs:admin')}`
  const list = (await (await fetch(`${appOrigin}/api/sessions`, { headers: { authorization } })).json()) as SessionList
  expect(list.sessions.map(({ sub }) => sub).sort()).toEqual(['acme::ada of acme', 'bob'])
  expect((await eve.signIn('eve of a:b')).status).toBe(401)
  expect(app.told).toEqual([
    `Sign-in by ${new URL(provider.url).host} failed: MILEPOST_TENANT_CLAIM: its tenant is not 1 to 64 characters of A–Z a–z 0–9 . _ ~ -`,
  ])
})

test.each([
  'client_secret_basic',
  'client_secret_post',
  // The client is registered with the last.
  'client_secret_basic,client_secret_post',
  'client_secret_post,client_secret_basic',
])('the client secret is sent in the way that the provider accepts: %s', async (methods) => {
  const other = new IdentityProvider()
  await other.start('a:ES256', `${appOrigin}/sign-in/callback`, methods)
  try {
    await using app = serveApp({ issuer: other.url })
    const ada = new Visitor(appOrigin)
    await ada.signIn('ada')
    expect([await nameOf(ada), app.told]).toEqual(['ada', []])
  } finally {
    await other.stop()
  }
})

test('a provider that takes no client secret signs nobody in, and the log says why', async () => {
  const other = new IdentityProvider()
  await other.start('a:ES256', `${appOrigin}/sign-in/callback`, 'none')
  try {
    await using app = serveApp({ issuer: other.url })
    expect((await new Visitor(appOrigin).signIn('ada')).status).toBe(401)
    expect(app.told).toEqual([
      `Sign-in by ${new URL(other.url).host} failed: the provider supports neither client_secret_basic nor client_secret_post`,
    ])
  } finally {
    await other.stop()
  }
})

test('a store that fails at the end of a sign-in is a 503: the provider did its part', async () => {
  await using app = serveApp()
  app.engine.notes.put = () => Promise.reject(refuse(problems.unavailable()))
  const answer = await new Visitor(appOrigin).signIn('ada')
  expect([answer.status, await answer.json()]).toMatchObject([503, { type: 'urn:milepost:unavailable' }])
  expect(app.told).toEqual([])
})

test('a person who refuses, and a provider that is away, are told that it did not work; the log says why', async () => {
  const ada = new Visitor(origin)
  await ada.open(`${origin}/sign-in/provider`)
  const refused = await ada.open(`${origin}/sign-in/callback?error=access_denied&state=x`)
  expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('That did not work.')])
  await provider.stop()
  await server.kill()
  await server.restart()
  const away = await ada.open(`${origin}/sign-in/provider`)
  expect([away.status, await away.text()]).toEqual([401, expect.stringContaining('That did not work.')])
  expect(server.output).toContain(`Sign-in by ${new URL(provider.url).host} failed:`)
  expect(server.output).not.toContain('dashboard-secret')
})
