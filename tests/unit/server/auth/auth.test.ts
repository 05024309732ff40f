import { describe, expect, test } from 'bun:test'
import { decode, sign } from 'hono/jwt'
import type { Grant, Principal } from '../../../../server/auth/access.ts'
import { Auth, type AuthOptions } from '../../../../server/auth/auth.ts'
import { secretKeyOf } from '../../../../server/auth/secret-key.ts'
import { Sessions } from '../../../../server/auth/sessions.ts'
import { signAccessToken } from '../../../../server/cli/access-token.ts'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { ProblemError } from '../../../../server/errors.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { createKey } from '../../../support/signing-key.ts'
import { SECRET, virtualToken } from '../../../support/tokens.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

const OLD_SECRET = 'an-older-secret-of-32-bytes-at-least'

function create(options: Partial<AuthOptions> = {}) {
  const clock = new VirtualClock()
  const sessions = new Sessions({ engine: new MemoryEngine(), clock, random: new SeededRandom(1), onEnd: () => {} })
  const told: unknown[] = []
  const auth = new Auth({ secret: SECRET, ...options }, clock, sessions, (error) => told.push(error))
  return { clock, sessions, told, auth }
}

/** Like {@link create}, with an identity provider. `tokenOf` signs its tokens. */
async function createWithProvider(options: Partial<AuthOptions> = {}) {
  const key = await createKey('ES256', 'a')
  const fetch = Object.assign(async () => Response.json({ keys: [key.publicKey] }), { preconnect() {} })
  const [issuer, audience] = ['https://id.example', 'https://progress.example']
  const jwks = { url: `${issuer}/jwks`, fetch }
  const tokenOf = (claims: object) => key.sign({ iss: issuer, aud: audience, exp: EXP, ...claims })
  return { ...create({ jwks, issuer, audience, ...options }), tokenOf }
}

const seconds = (clock: VirtualClock) => clock.now() / 1_000

/** When the tokens of these tests run out, unless they say otherwise: seconds. */
const EXP = seconds(new VirtualClock()) + 60

/** The status with which a promise is refused. */
async function refused(promise: Promise<unknown>): Promise<number> {
  return (await problemOf(promise)).status
}

async function problemOf(promise: Promise<unknown>): Promise<ProblemError['problem']> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ProblemError)) throw error ?? new Error('Not refused')
  return error.problem
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe("an identity provider's tokens", () => {
  test('may differ from our clock by a minute: in exp, in nbf and in the longest life', async () => {
    const { auth, clock, tokenOf } = await createWithProvider({ tokenSeconds: 600 })
    const now = seconds(clock)
    const accepted = [{ exp: now - 59 }, { nbf: now + 60 }, { exp: now + 660 }]
    for (const claims of accepted) {
      const principal = await auth.bearer(await tokenOf({ sub: 'ada', ...claims }))
      expect(principal).toEqual({ sub: 'ada', scopes: [], expiresAt: ((claims.exp ?? EXP) + 60) * 1_000 })
    }
    for (const claims of [{ exp: now - 60 }, { nbf: now + 61 }, { exp: now + 661 }]) {
      expect(await refused(auth.bearer(await tokenOf({ sub: 'ada', ...claims })))).toBe(401)
    }
  })

  test('name a principal by an email only if the provider has verified it; the operator is told once a minute', async () => {
    const { auth, clock, told, tokenOf } = await createWithProvider({ subClaim: 'email' })
    const email = 'ada@example.com'
    expect(await auth.bearer(await tokenOf({ email, email_verified: true }))).toMatchObject({ sub: email })
    for (const claims of [{}, { email_verified: false }, { email_verified: 'true' }, { email_verified: 1 }]) {
      const token = await tokenOf({ email, ...claims })
      expect([await refused(auth.bearer(token)), await refused(auth.bearer(token))]).toEqual([401, 401])
    }
    const line =
      'MILEPOST_SUB_CLAIM: an access token was refused: it has an email that the provider has not verified (email_verified is not true)'
    expect(told).toEqual([line])
    await clock.advance(60_000)
    expect(await refused(auth.bearer(await tokenOf({ email, exp: EXP + 60 })))).toBe(401)
    expect(told).toEqual([line, line])
    // Whoever has our secret can sign any name.
    const own = await sign({ iss: 'https://id.example', aud: 'https://progress.example', email, exp: EXP + 60 }, SECRET)
    expect(await auth.bearer(own)).toMatchObject({ sub: email })
  })

  test('are in the tenant of their claim; the operator is told once a minute why one is refused', async () => {
    for (const tenantClaim of [undefined, 'org']) {
      const { auth, told, tokenOf } = await createWithProvider({ tenantClaim })
      const inTenant = (tenant: unknown) => tokenOf({ sub: 'ada', [tenantClaim ?? 'tenant']: tenant })
      expect(await auth.bearer(await inTenant('acme'))).toMatchObject({ sub: 'ada', tenant: 'acme' })
      expect('tenant' in (await auth.bearer(await inTenant(undefined)))).toBe(false)
      for (const wrong of ['', 'a:b', 7, null, ['acme'], { name: 'acme' }])
        expect(await refused(auth.bearer(await inTenant(wrong)))).toBe(401)
      expect(await refused(auth.bearer(await tokenOf({ sub: 'acme::ada' })))).toBe(401)
      expect(told).toEqual([
        'MILEPOST_TENANT_CLAIM: an access token was refused: its tenant is not 1 to 64 characters of A–Z a–z 0–9 . _ ~ -',
      ])
    }
  })
})

describe('Auth', () => {
  test('Auth requires secrets of 32 bytes, and says how to make one', () => {
    const message = 'A secret must have at least 32 bytes: make one with "openssl rand -hex 32"'
    expect(() => create({ secret: 'x'.repeat(31) })).toThrow(message)
    expect(() => create({ secret: [SECRET, 'short'] })).toThrow(message)
    expect(() => create({ secret: [] })).toThrow('A secret is needed to sign tokens')
    expect(create({ secret: 'ü'.repeat(16) }).auth).toBeInstanceOf(Auth)
  })
})

describe('bearer', () => {
  test('bearer returns the principal of an access token: its subject and known scopes', async () => {
    const { auth } = create()
    const token = await virtualToken('ada', 'jobs:read openid jobs:write jobs:everything')
    expect(await auth.bearer(token)).toMatchObject({ sub: 'ada', scopes: ['jobs:read', 'jobs:write'] })
    const none = { sub: 'ada', scopes: [], expiresAt: EXP * 1_000 }
    expect(await auth.bearer(await sign({ sub: 'ada', exp: EXP }, SECRET))).toEqual(none)
    expect(await auth.bearer(await sign({ sub: 'ada', scope: { 'jobs:read': true }, exp: EXP }, SECRET))).toEqual(none)
  })

  test('bearer refuses forged tokens and other algorithms', async () => {
    const { auth } = create()
    const claims = { sub: 'ada', scope: 'jobs:admin', exp: EXP }
    const [header, payload, signature] = (await sign(claims, SECRET)).split('.')
    const unsigned = `${base64url({ alg: 'none', typ: 'JWT' })}.${payload}`
    const tokens = [
      await sign(claims, 'another-secret-of-32-bytes-at-least!'),
      await sign(claims, SECRET, 'HS384'),
      await sign(claims, SECRET, 'HS512'),
      `${unsigned}.`,
      `${unsigned}.${signature}`,
      `${base64url({ alg: 'none' })}.${payload}.`,
      `${base64url({ alg: 'NONE', typ: 'JWT' })}.${payload}.`,
      `${base64url({ typ: 'JWT' })}.${payload}.${signature}`,
      `${header}.${base64url({ ...claims, sub: 'root' })}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}x`,
      `${header}..${signature}`,
      '..',
      '',
      'x',
    ]
    for (const token of tokens) expect(await refused(auth.bearer(token))).toBe(401)
  })

  test('bearer refuses a signed token without a valid subject', async () => {
    const { auth } = create()
    const payloads: unknown[] = [
      {},
      { sub: '' },
      { sub: 7 },
      { sub: null },
      { sub: ['ada'] },
      { sub: 'x'.repeat(513) },
      { sub: '\ud800' },
      null,
      'ada',
      [],
      7,
    ]
    for (const payload of payloads) {
      const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload)
      const token = await sign((isObject ? { exp: EXP, ...payload } : payload) as never, SECRET)
      expect(await refused(auth.bearer(token))).toBe(401)
    }
  })

  test('bearer checks exp and nbf with its own clock, also of cached tokens', async () => {
    const { auth, clock } = create()
    const token = await virtualToken('ada', '', { exp: seconds(clock) + 10, nbf: seconds(clock) - 10 })
    const principal: Principal = { sub: 'ada', scopes: [], expiresAt: clock.now() + 10_000 }
    expect(await auth.bearer(token)).toEqual(principal)
    await clock.advance(9_999)
    expect(await auth.bearer(token)).toEqual(principal)
    await clock.advance(1)
    expect(await refused(auth.bearer(token))).toBe(401)
    const early = await virtualToken('ada', '', { nbf: seconds(clock) + 1 })
    expect(await refused(auth.bearer(early))).toBe(401)
    await clock.advance(1_000)
    expect((await auth.bearer(early)).sub).toBe('ada')
    for (const claims of [{ exp: 'never' }, { exp: null }, { nbf: '0' }, { exp: {} }])
      expect(await refused(auth.bearer(await virtualToken('ada', '', claims)))).toBe(401)
  })

  test('bearer refuses a token without exp or with a later one than the longest life, and says why', async () => {
    const { auth, clock } = create({ tokenSeconds: 3_600 })
    const bearer = async (claims: object, by = auth) => by.bearer(await virtualToken('ada', '', claims))
    const detailOf = async (claims: object) => (await problemOf(bearer(claims))).detail
    expect(await detailOf({ exp: undefined })).toBe('The token has no exp. Sign one that has.')
    const last = seconds(clock) + 3_660
    expect((await bearer({ exp: last })).sub).toBe('ada')
    expect(await detailOf({ exp: last + 1 })).toBe(
      'The token lives longer than 3600 seconds, the maximum here. Sign one with an earlier exp.',
    )
    // What is not signed by us is told nothing of the kind.
    const forged = await sign({ sub: 'ada', exp: last + 1 }, OLD_SECRET)
    expect((await problemOf(auth.bearer(forged))).detail).toBe('The token is invalid or expired. Get a new one.')
    const days = create()
    const ninety = seconds(clock) + 90 * 86_400
    expect((await bearer({ exp: ninety + 60 }, days.auth)).sub).toBe('ada')
    expect(await refused(bearer({ exp: ninety + 61 }, days.auth))).toBe(401)
  })

  test('bearer accepts tokens of this server with their prefix, and others without one', async () => {
    const { auth } = create()
    const jwt = await virtualToken('ada', '')
    expect((await auth.bearer(`mpst_access_${jwt}`)).sub).toBe('ada')
    expect((await auth.bearer(jwt)).sub).toBe('ada')
    for (const prefix of ['mpst_', 'mpst_other_', 'mpst_session_', 'mpst_access_mpst_access_'])
      expect(await refused(auth.bearer(prefix + jwt))).toBe(401)
  })

  test('bearer requires the configured issuer, and the configured audience alone or among others', async () => {
    const { auth } = create({ issuer: 'https://id.example', audience: 'milepost' })
    const iss = 'https://id.example'
    expect((await auth.bearer(await virtualToken('ada', '', { iss, aud: 'milepost' }))).sub).toBe('ada')
    expect((await auth.bearer(await virtualToken('ada', '', { iss, aud: ['x', 'milepost'] }))).sub).toBe('ada')
    for (const claims of [{}, { iss }, { aud: 'milepost' }, { iss: 'x', aud: 'milepost' }, { iss, aud: ['x'] }])
      expect(await refused(auth.bearer(await virtualToken('ada', '', claims)))).toBe(401)
  })

  test('bearer accepts tokens of any of several secrets, and signs with the first', async () => {
    const { auth } = create({ secret: [SECRET, OLD_SECRET] })
    expect((await auth.bearer(await sign({ sub: 'ada', exp: EXP }, OLD_SECRET))).sub).toBe('ada')
    const { token } = await auth.createJobToken({ sub: 'ada' }, { job: 'j', epoch: 'e', can: 'watch', series: 0 }, 60)
    expect((await create({ secret: SECRET }).auth.jobToken(token)).sub).toBe('ada')
    expect(await refused(create({ secret: OLD_SECRET }).auth.jobToken(token))).toBe(401)
  })

  test('tokens have the kid of the secret that signed them, the same in every process; a kid that is known chooses the secret', async () => {
    const { auth } = create({ secret: [SECRET, OLD_SECRET] })
    const grant = { job: 'j', epoch: 'e', can: 'watch', series: 0 } as const
    const kidOf = async (by: Auth) => {
      const { token } = await by.createJobToken({ sub: 'ada' }, grant, 60)
      return decode(token.replace('mpst_watch_', '')).header as unknown as { kid: string }
    }
    const [newKey, oldKey] = [await secretKeyOf(SECRET), await secretKeyOf(OLD_SECRET)]
    expect(await kidOf(auth)).toEqual({ alg: 'HS256', typ: 'JWT', kid: newKey.kid } as never)
    expect(await kidOf(create({ secret: [OLD_SECRET, SECRET] }).auth)).toMatchObject({ kid: oldKey.kid })
    const settings = { secret: OLD_SECRET, issuer: undefined, audience: undefined, tenantClaim: undefined }
    const token = await signAccessToken(settings, { sub: 'ada', scope: '', seconds: 60 })
    expect(decode(token.replace('mpst_access_', '')).header).toMatchObject({ kid: oldKey.kid })
    const claims = { sub: 'ada', exp: EXP }
    for (const key of [newKey, oldKey, { ...oldKey, kid: 'the-key-of-a-backend' }])
      expect((await auth.bearer(await sign(claims, key))).sub).toBe('ada')
    const swapped = await sign(claims, { ...oldKey, kid: newKey.kid })
    expect(await refused(auth.bearer(swapped))).toBe(401)
  })

  test('a secret that has a word of PEM is a secret', async () => {
    const { auth } = create({ secret: `${SECRET} PUBLIC PRIVATE ü` })
    const { token } = await auth.createJobToken({ sub: 'ada' }, { job: 'j', epoch: 'e', can: 'watch', series: 0 }, 60)
    expect((await auth.jobToken(token)).sub).toBe('ada')
  })

  test('remembered caches a thousand tokens, and evicts the least recently used', async () => {
    const { auth } = create()
    const tokens = await Promise.all(Array.from({ length: 1_001 }, (_, n) => virtualToken('ada', '', { jti: `${n}` })))
    const [first = '', second = '', ...others] = tokens
    for (const token of [first, second, ...others.slice(0, -1)]) await auth.bearer(token)
    expect(auth.remembered(first)?.sub).toBe('ada')
    const last = others.at(-1) ?? ''
    await auth.bearer(last)
    expect([first, second, last].map((token) => auth.remembered(token)?.sub)).toEqual(['ada', undefined, 'ada'])
    expect((await auth.bearer(second)).sub).toBe('ada')
  })
})

describe('the tokens of this server', () => {
  test('createJobToken returns a token for one action on one epoch of a job, until it expires', async () => {
    const { auth, clock } = create()
    const grant = { job: 'j', epoch: 'e1', can: 'watch', parts: 'header', series: 2 } as const
    const { token, expiresAt } = await auth.createJobToken({ sub: 'ada' }, grant, 60)
    expect(token).toMatch(/^mpst_watch_eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(expiresAt).toBe('2026-01-01T00:01:00.000Z')
    const granted = { ...grant, expiresAt: Date.parse(expiresAt) }
    expect(await auth.jobToken(token)).toEqual({ sub: 'ada', grant: granted })
    expect(await auth.bearer(token)).toEqual({ sub: 'ada', scopes: [], jobs: [granted] })
    await clock.advance(60_000)
    expect(await refused(auth.jobToken(token))).toBe(401)
    expect(await refused(auth.bearer(token))).toBe(401)
  })

  test("createJobToken returns a token that expires no later than its maker's credentials", async () => {
    const { auth, clock } = create()
    const maker = { sub: 'ada', expiresAt: clock.now() + 59_999 }
    const { token, expiresAt } = await auth.createJobToken(
      maker,
      { job: 'j', epoch: 'e1', can: 'publish', series: 0 },
      86_400,
    )
    expect(expiresAt).toBe('2026-01-01T00:00:59.000Z')
    expect(token).toStartWith('mpst_publish_')
    await clock.advance(59_000)
    expect(await refused(auth.jobToken(token))).toBe(401)
  })

  test('a token of one kind is refused wherever another is required', async () => {
    const { auth, sessions } = create()
    const access = await virtualToken('ada', 'jobs:admin')
    const { token: job } = await auth.createJobToken(
      { sub: 'ada' },
      { job: 'j', epoch: 'e', can: 'publish', series: 0 },
      60,
    )
    const { cookie: session } = await sessions.create({ sub: 'ada', scopes: ['jobs:admin'] })
    expect(await refused(auth.jobToken(access))).toBe(401)
    expect(await refused(auth.jobToken(session))).toBe(401)
    expect(await refused(auth.session(access))).toBe(401)
    expect(await refused(auth.session(job))).toBe(401)
    expect(await refused(auth.bearer(session))).toBe(401)
    expect(await refused(auth.bearer(await virtualToken('ada', 'jobs:admin', { typ: 'milepost-other' })))).toBe(401)
    expect((await auth.bearer(await virtualToken('ada', '', { typ: 'at+jwt' }))).sub).toBe('ada')
  })

  test('jobToken refuses what has the right type and wrong claims', async () => {
    const { auth, clock } = create()
    const good = { typ: 'milepost-job', sub: 'ada', job: 'j', epoch: 'e', can: 'watch', exp: seconds(clock) + 60 }
    expect((await auth.jobToken(await sign(good, SECRET))).grant.can).toBe('watch')
    const bad = [
      { job: 7 },
      { epoch: undefined },
      { can: 'control' },
      { parts: 'all' },
      { series: '0' },
      { can: undefined },
      { exp: undefined },
      { sub: 7 },
      { sid: 7 },
    ]
    for (const claims of bad) {
      const token = await sign({ ...good, ...claims } as Record<string, unknown>, SECRET)
      expect(await refused(auth.jobToken(token))).toBe(401)
    }
  })

  test('a token made in a session names it, and is refused once it expires or ends', async () => {
    const { auth, sessions } = create()
    const { cookie } = await sessions.create({ sub: 'ada', scopes: ['jobs:read'] })
    const maker = await auth.session(cookie)
    const { token, expiresAt } = await auth.createJobToken(
      maker,
      { job: 'j', epoch: 'e', can: 'watch', series: 0 },
      86_400,
    )
    expect(expiresAt).toBe('2026-01-01T12:00:00.000Z')
    const grant = { job: 'j', epoch: 'e', can: 'watch', series: 0, expiresAt: maker.expiresAt, session: maker.session }
    expect((await auth.jobToken(token)).grant).toEqual(grant as Grant)
    expect((await auth.bearer(token)).jobs).toEqual([grant as Grant])
    expect(auth.remembered(token)?.jobs).toEqual([grant as Grant])
    await sessions.end(maker.session ?? '')
    expect(auth.remembered(token)).toBeUndefined()
    for (const taken of [auth.jobToken(token), auth.bearer(token), auth.session(cookie)])
      expect((await problemOf(taken)).detail).toBe('The session has ended. Sign in again.')
  })

  test('deriveJobId returns the same id for the same subject and key, and nobody else can guess it', async () => {
    const { auth } = create()
    const id = await auth.deriveJobId('ada', 'k')
    expect(id).toMatch(/^[0-9a-v]{26}$/)
    expect(await auth.deriveJobId('ada', 'k')).toBe(id)
    expect(await create().auth.deriveJobId('ada', 'k')).toBe(id)
    const others = [
      await auth.deriveJobId('ada', 'l'),
      await auth.deriveJobId('eve', 'k'),
      await create({ secret: OLD_SECRET }).auth.deriveJobId('ada', 'k'),
    ]
    expect(new Set([id, ...others]).size).toBe(4)
  })
})
