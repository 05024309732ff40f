import { describe, expect, test } from 'bun:test'
import { sign } from 'hono/jwt'
import { Jwks } from '../../../../server/auth/jwks.ts'
import { algorithms, createKey } from '../../../support/signing-key.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

/** A provider that publishes keys, and a verifier that reads them. */
class World {
  readonly clock = new VirtualClock()
  readonly told: unknown[] = []
  keys: object[] = []
  fetches = 0
  /** What the provider does in place of publishing its keys. */
  answer: (() => Response | Promise<Response>) | undefined
  readonly jwks = new Jwks(
    { url: 'https://issuer.example/jwks', fetch: Object.assign(() => this.#fetch(), { preconnect() {} }) },
    this.clock,
    (error) => this.told.push(error),
  )

  async #fetch(): Promise<Response> {
    this.fetches += 1
    return this.answer ? this.answer() : Response.json({ keys: this.keys })
  }

  status(token: string): Promise<number> {
    return this.jwks.verify(token).then(
      (claims) => (claims ? 200 : 401),
      (error) => error.problem.status,
    )
  }
}

/** A provider with one key, and a token that was accepted with it. */
async function accepted(): Promise<{ world: World; token: string }> {
  const world = new World()
  const key = await createKey('ES256', 'a')
  world.keys = [key.publicKey]
  const token = await key.sign({ sub: 'ada' })
  expect(await world.status(token)).toBe(200)
  return { world, token }
}

/** A token whose header and payload are as given, with the signature of another. */
function forge(header: object, payload: object, signature = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(payload)}.${signature}`
}

describe('Jwks', () => {
  test.each(algorithms.map(([alg]) => alg))('Jwks accepts %s', async (alg) => {
    const world = new World()
    const [key, other] = [await createKey(alg, 'a'), await createKey(alg, 'b')]
    world.keys = [key.publicKey, other.publicKey]
    expect(await world.jwks.verify(await key.sign({ sub: 'ada' }))).toEqual({ sub: 'ada' })
    expect(await world.jwks.verify(await other.sign({ sub: 'bob' }))).toEqual({ sub: 'bob' })
    expect(world.fetches).toBe(1)
  })

  test('Jwks refuses what another key signed, and what was changed', async () => {
    const world = new World()
    const [key, stranger] = [await createKey('ES256', 'a'), await createKey('ES256', 'a')]
    world.keys = [key.publicKey]
    const [header = '', , signature = ''] = (await key.sign({ sub: 'ada' })).split('.')
    const changed = `${header}.${Buffer.from('{"sub":"root"}').toString('base64url')}.${signature}`
    expect([await world.status(await stranger.sign({ sub: 'ada' })), await world.status(changed)]).toEqual([401, 401])
  })

  test('Jwks refuses tokens that confuse algorithms', async () => {
    const world = new World()
    const rsa = await createKey('RS256', 'rsa')
    const ec = await createKey('ES256', 'ec')
    world.keys = [rsa.publicKey, ec.publicKey]
    const claims = { sub: 'root' }
    // The public key as the secret of HMAC.
    const asSecret = await sign(claims, { kty: 'oct', k: rsa.publicKey.n, kid: 'rsa', alg: 'HS256' } as never, 'HS256')
    const signature = (await rsa.sign(claims)).split('.')[2]
    const forged = [
      asSecret,
      forge({ alg: 'none', typ: 'JWT', kid: 'rsa' }, claims),
      forge({ alg: 'None', kid: 'rsa' }, claims),
      forge({ alg: 'ES256', typ: 'JWT', kid: 'rsa' }, claims, signature),
      forge({ alg: 'RS512', typ: 'JWT', kid: 'rsa' }, claims, signature),
      forge({ alg: 'RS256', typ: 'JWT', kid: 'ec' }, claims, signature),
      forge({ alg: 'RS256', typ: 'JWT', kid: ['rsa'] }, claims, signature),
      forge({ alg: 'RS256', typ: 'JWT', kid: 'rsa', crit: ['exp'] }, claims, signature),
      forge({ alg: 'RS256', typ: 'dpop+jwt', kid: 'rsa' }, claims, signature),
      forge({ alg: 'RS256', typ: 'JWT', jwk: rsa.publicKey, kid: 'other' }, claims, signature),
      forge({ alg: 'RS256', typ: 'JWT', jku: 'https://evil.example/', kid: 'other' }, claims, signature),
      forge({ alg: 'constructor' }, claims),
      'a.b.c',
      '',
    ]
    for (const token of forged) expect([token, await world.status(token)]).toEqual([token, 401])
    expect(await world.status(await rsa.sign(claims))).toBe(200)
  })

  test('Jwks takes no key that is for another use, that is short, or whose algorithm is another', async () => {
    const world = new World()
    const key = await createKey('RS256', 'a')
    const short = await createKey('RS256', 'a', { modulusLength: 1024 })
    const token = await key.sign({ sub: 'ada' })
    for (const change of [
      { use: 'enc' },
      { key_ops: ['encrypt'] },
      { key_ops: 'verify' },
      { alg: 'RS512' },
      { kty: 'oct' },
    ]) {
      world.keys = [{ ...key.publicKey, ...change }]
      await world.clock.advance(600_000)
      expect([change, await world.status(token)]).toEqual([change, 401])
    }
    world.keys = [short.publicKey]
    await world.clock.advance(600_000)
    expect(await world.status(await short.sign({ sub: 'ada' }))).toBe(401)
  })

  test('Jwks needs no kid where only one key can be meant', async () => {
    const world = new World()
    const [key, other] = [await createKey('ES256'), await createKey('RS256', 'rsa')]
    world.keys = [key.publicKey, other.publicKey]
    expect(await world.status(await key.sign({ sub: 'ada' }))).toBe(200)
    world.keys = [key.publicKey, (await createKey('ES256')).publicKey]
    await world.clock.advance(600_000)
    expect(await world.status(await key.sign({ sub: 'ada' }))).toBe(401)
  })

  test('Jwks learns of a new key at once, but forged tokens cause no more than five fetches a minute', async () => {
    const world = new World()
    const [old, fresh] = [await createKey('ES256', 'old'), await createKey('ES256', 'fresh')]
    world.keys = [old.publicKey]
    expect(await world.status(await old.sign({ sub: 'ada' }))).toBe(200)
    world.keys = [old.publicKey, fresh.publicKey]
    expect(await world.status(await fresh.sign({ sub: 'ada' }))).toBe(200)
    expect(world.fetches).toBe(2)
    for (let index = 0; index < 50; index++) {
      expect(await world.status(forge({ alg: 'ES256', kid: `${index}` }, {}))).toBe(401)
    }
    expect(world.fetches).toBe(6)
    await world.clock.advance(60_000)
    await world.status(forge({ alg: 'ES256', kid: 'x' }, {}))
    expect(world.fetches).toBe(7)
  })

  test('Jwks forgets a key that was withdrawn: the first request after five minutes causes the fetch', async () => {
    const { world, token } = await accepted()
    world.keys = []
    await world.clock.advance(299_999)
    expect([await world.status(token), world.fetches]).toEqual([200, 1])
    await world.clock.advance(1)
    expect([await world.status(token), world.fetches]).toEqual([200, 2])
    await settle()
    expect(await world.status(token)).toBe(401)
  })

  test('Jwks uses no key of ten minutes ago before the provider was asked', async () => {
    const { world, token } = await accepted()
    world.keys = []
    await world.clock.advance(600_000)
    expect(await world.status(token)).toBe(401)
  })

  test('Jwks has one fetch in progress: a known key does not wait for it, unknown ones wait in bounded number', async () => {
    const { world, token } = await accepted()
    const fresh = await createKey('ES256', 'fresh')
    let answer = (_: Response) => {}
    world.answer = () => new Promise((resolve) => (answer = resolve))
    await world.clock.advance(300_000)
    const newToken = await fresh.sign({ sub: 'ada' })
    const statuses: number[] = []
    const waiting = Array.from({ length: 300 }, async () => statuses.push(await world.status(newToken)))
    // It waits for its own fetch, 256 for that of another.
    await settle()
    expect(statuses).toEqual(Array(43).fill(503))
    expect([await world.status(token), await world.status(token), world.fetches]).toEqual([200, 200, 2])
    answer(Response.json({ keys: [fresh.publicKey] }))
    await world.clock.advance(20)
    await Promise.all(waiting)
    expect(statuses.slice(43)).toEqual(Array(257).fill(200))
    expect(world.fetches).toBe(2)
    expect(world.clock.pending).toBe(0)
  })

  test('Jwks does not rely on a fetch that a runtime dropped with its request', async () => {
    const { world, token } = await accepted()
    const fresh = await createKey('ES256', 'fresh')
    world.answer = () => new Promise(() => {})
    await world.clock.advance(300_000)
    expect([await world.status(token), world.fetches]).toEqual([200, 2])
    world.answer = undefined
    world.keys = [fresh.publicKey]
    await world.clock.advance(9_999)
    expect([await world.status(token), world.fetches]).toEqual([200, 2])
    await world.clock.advance(1)
    // This one waits for the fetch that it begins.
    expect([await world.status(token), world.fetches]).toEqual([401, 3])
  })

  test('Jwks reads at most a mebibyte of what a provider sends, for at most five seconds', async () => {
    using provider = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) => {
        const isEndless = url.endsWith('/endless')
        const pull = (controller: ReadableStreamDefaultController) =>
          isEndless ? controller.enqueue(new Uint8Array(65_536).fill(0x20)) : new Promise<void>(() => {})
        const start = (controller: ReadableStreamDefaultController) => controller.enqueue(Buffer.from('{"keys":['))
        return new Response(new ReadableStream({ start, pull }))
      },
    })
    const token = await (await createKey('ES256', 'a')).sign({ sub: 'ada' })
    for (const [path, reason] of [
      ['endless', 'the answer has more than 1048576 bytes'],
      ['mute', 'no answer in 5000 ms'],
    ]) {
      const clock = new VirtualClock()
      const told: unknown[] = []
      const url = `${provider.url}${path}`
      const answered = Promise.withResolvers<void>()
      const fetchNoting = async (...request: Parameters<typeof fetch>) => {
        const response = await fetch(...request)
        answered.resolve()
        return response
      }
      const options = { url, fetch: Object.assign(fetchNoting, { preconnect() {} }) }
      const refused = new Jwks(options, clock, (error) => told.push(error)).verify(token).catch(() => {})
      await answered.promise
      if (path === 'mute') await clock.advance(5_000)
      await refused
      expect(told).toEqual([`MILEPOST_JWKS_URL: no keys from ${url}: ${reason}`])
    }
    await provider.stop(true)
  })

  test('Jwks goes on with the keys that it has while the provider is away, and says so once', async () => {
    const { world, token } = await accepted()
    world.answer = () => new Response('', { status: 502 })
    await world.clock.advance(600_000)
    for (let index = 0; index < 10; index++) expect(await world.status(token)).toBe(200)
    expect(world.fetches).toBe(2)
    await world.clock.advance(5_000)
    expect(await world.status(token)).toBe(200)
    world.answer = undefined
    await world.clock.advance(5_000)
    expect(await world.status(token)).toBe(200)
    expect(world.told).toEqual([
      'MILEPOST_JWKS_URL: no keys from https://issuer.example/jwks: it answers 502',
      'MILEPOST_JWKS_URL: https://issuer.example/jwks answers again.',
    ])
  })

  const odd: [what: string, answer: () => Response | Promise<Response>][] = [
    ['an error', () => new Response('', { status: 500 })],
    ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
    ['a redirect', () => Response.redirect('https://evil.example/jwks')],
    ['JSON without keys', () => Response.json({ hello: 1 })],
    ['null', () => Response.json(null)],
    ['more than anyone needs', () => new Response(`{"keys":[${' '.repeat(1_100_000)}]}`)],
    ['nothing at all', () => Promise.reject(new TypeError('connection refused'))],
  ]
  test.each(odd)('Jwks answers 503 for %s, and asks again after five seconds', async (_, answer) => {
    const world = new World()
    const key = await createKey('ES256', 'a')
    world.keys = [key.publicKey]
    world.answer = answer
    const token = await key.sign({ sub: 'ada' })
    expect([await world.status(token), await world.status(token), world.fetches]).toEqual([503, 503, 1])
    world.answer = undefined
    await world.clock.advance(5_000)
    expect(await world.status(token)).toBe(200)
    expect(world.told).toHaveLength(2)
  })

  test('Jwks skips what is no key in a set', async () => {
    const world = new World()
    const key = await createKey('ES256', 'a')
    world.keys = [null, 1, [], { kty: 'EC', crv: 'P-256', kid: 'b' }, key.publicKey] as never
    expect(await world.status(await key.sign({ sub: 'ada' }))).toBe(200)
    expect(await world.status(forge({ alg: 'ES256', kid: 'b' }, {}, 'AAAA'))).toBe(401)
  })
})
