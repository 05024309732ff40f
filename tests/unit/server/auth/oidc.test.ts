import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { Oidc, type SignInAttempt } from '../../../../server/auth/oidc.ts'
import { type Clock, systemClock } from '../../../../shared/time/clock.ts'
import { createKey } from '../../../support/signing-key.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

const CLIENT_SECRET = 'the-secret-of-the-client-dashboard'

/** What the provider answers, by path: that of an honest one unless a test changes it. */
let answers: Record<string, (request: Request) => Response | Promise<Response>> = {}

const provider = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request) =>
    answers[new URL(request.url).pathname]?.(request) ?? new Response('<h1>Sign in to the WiFi</h1>', { status: 404 }),
})
afterAll(() => provider.stop(true))

const issuer = provider.url.origin
const redirectUri = 'https://progress.example.com/sign-in/callback'
const key = await createKey('ES256', 'a')
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  token_endpoint_auth_methods_supported: ['client_secret_post'],
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
}
const CONFIGURATION = '/.well-known/openid-configuration'

const oidcWith = (options: object = {}, clock: Clock = systemClock) =>
  new Oidc({ issuer, clientId: 'dashboard', clientSecret: CLIENT_SECRET, ...options }, clock)

const claimsFor = ({ nonce }: Pick<SignInAttempt, 'nonce'>) => {
  const now = Math.floor(Date.now() / 1_000)
  return { iss: issuer, aud: 'dashboard', sub: 'ada', iat: now, exp: now + 60, nonce }
}

/** Answers of the token endpoint with an ID token. */
const tokens = (idToken: unknown) => () => Response.json({ access_token: 'x', token_type: 'Bearer', id_token: idToken })

/** A whole sign-in, in which the provider gives an ID token with other claims, or whatever else. */
async function signIn(change: object, sealed?: (claims: object) => Promise<unknown>, options: object = {}) {
  const oidc = oidcWith(options)
  const { attempt } = await oidc.begin(redirectUri, undefined)
  const claims = { ...claimsFor(attempt), ...change }
  answers['/token'] = tokens(await (sealed?.(claims) ?? key.sign(claims)))
  return oidc.end(new URL(`${redirectUri}?code=c&state=${attempt.state}`), redirectUri, attempt)
}

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'signed in',
    (error: Error) => error.message,
  )

beforeEach(() => {
  answers = {
    [CONFIGURATION]: () => Response.json(metadata),
    '/jwks': () => Response.json({ keys: [key.publicKey] }),
  }
})

describe('Oidc', () => {
  test('Oidc signs in whom an honest provider names, with the scopes that it gives', async () => {
    expect(await signIn({})).toEqual({ sub: 'ada', scopes: ['jobs:read', 'jobs:write'] })
    expect(await signIn({ permissions: ['jobs:admin', 'other'] })).toEqual({ sub: 'ada', scopes: ['jobs:admin'] })
  })

  const now = Math.floor(Date.now() / 1_000)
  const lies: [what: string, change: object, reason: RegExp][] = [
    ['another issuer', { iss: 'https://evil.example' }, /"iss"/],
    ['another audience', { aud: 'other' }, /"aud"/],
    ['no audience', { aud: undefined }, /"aud"/],
    ['another nonce', { nonce: 'x' }, /"nonce"/],
    ['no nonce', { nonce: undefined }, /"nonce"/],
    ['an end in the past', { exp: now - 3_600 }, /"exp"/],
    ['no end', { exp: undefined }, /"exp"/],
    ['an end that is a text', { exp: `${now + 60}` }, /"exp"/],
    ['no sub', { sub: undefined }, /"sub"/],
    ['a sub that is a number', { sub: 7 }, /"sub"/],
    ['a sub that is a list', { sub: ['ada'] }, /"sub"/],
    ['a sub of 513 characters', { sub: 'a'.repeat(513) }, /no usable claim sub/],
    ['scopes that are an object', { scope: { 'jobs:admin': true } }, /signed in/],
  ]
  test.each(lies)(
    'Oidc signs in nobody, or nobody with more rights, by an ID token with %s',
    async (_, change, reason) => {
      const sealed = (claims: object) => key.sign(claims as Record<string, unknown>)
      expect(await reasonOf(signIn(change, sealed))).toMatch(reason)
      if ('scope' in change) expect((await signIn(change)).scopes).toEqual(['jobs:read', 'jobs:write'])
    },
  )

  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const seals: [what: string, sealed: (claims: object) => Promise<unknown>, reason: RegExp][] = [
    ['no algorithm', async (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`, /alg/],
    ['the client secret', (claims) => sign(claims as never, CLIENT_SECRET, 'HS256'), /alg/],
    ['encryption', async () => 'a.b.c.d.e', /JWE|Invalid JWT/],
    ['nothing', async () => undefined, /id_token/],
    ['a number', async () => 7, /id_token/],
  ]
  test.each(seals)('Oidc signs in nobody by an ID token that is sealed with %s', async (_, sealed, reason) => {
    expect(await reasonOf(signIn({}, sealed))).toMatch(reason)
  })

  test.each([
    ['another issuer', { issuer: 'https://evil.example' }, /issuer/],
    ['a page to sign in at without HTTPS', { authorization_endpoint: 'http://evil.example/' }, /with HTTPS/],
    ['a script as that page', { authorization_endpoint: 'javascript:alert(1)' }, /with HTTPS/],
    ['no such page', { authorization_endpoint: undefined }, /with HTTPS/],
  ])('Oidc begins no sign-in with metadata that have %s', async (_, change, reason) => {
    answers[CONFIGURATION] = () => Response.json({ ...metadata, ...change })
    expect(await reasonOf(oidcWith().begin(redirectUri, undefined))).toMatch(reason)
  })

  test.each<[what: string, answer: () => Response, reason: RegExp]>([
    [
      'a page',
      () => new Response('<h1>Sign in to the WiFi</h1>', { headers: { 'content-type': 'text/html' } }),
      /JSON|content-type/,
    ],
    ['a redirect', () => Response.redirect('https://evil.example/', 302), /status code/],
    ['an error', () => new Response(null, { status: 503 }), /status code/],
    ['nothing', () => new Response(null, { status: 200 }), /content-type|JSON/],
    ['a list', () => Response.json([]), /./],
    ['bytes without end', () => new Response(endless()), /more than 1048576 bytes/],
  ])('Oidc begins no sign-in with a provider that answers with %s', async (_, answer, reason) => {
    answers[CONFIGURATION] = answer
    expect(await reasonOf(oidcWith().begin(redirectUri, undefined))).toMatch(reason)
  })

  test('Oidc reads at most a mebibyte of what the token endpoint sends', async () => {
    const oidc = oidcWith()
    const { attempt } = await oidc.begin(redirectUri, undefined)
    answers['/token'] = () => new Response(endless(), { headers: { 'content-type': 'application/json' } })
    const callback = new URL(`${redirectUri}?code=c&state=${attempt.state}`)
    expect(await reasonOf(oidc.end(callback, redirectUri, attempt))).toBe('the answer has more than 1048576 bytes')
  })

  test('Oidc waits ten seconds for a provider', async () => {
    const asked = Promise.withResolvers<void>()
    answers[CONFIGURATION] = () => {
      asked.resolve()
      return new Promise(() => {})
    }
    const clock = new VirtualClock()
    const reason = reasonOf(oidcWith({}, clock).begin(redirectUri, undefined))
    await asked.promise
    await clock.advance(10_000)
    expect(await reason).toBe('the provider has not answered for 10000 ms')
  })
})

/** White space, as long as somebody reads it. */
const endless = () =>
  new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)) })
