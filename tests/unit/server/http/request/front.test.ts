import { describe, expect, test } from 'bun:test'
import { Front, type FrontOptions } from '../../../../../server/http/request/front.ts'
import { isWithin, parseAddress, parseRange } from '../../../../../server/support/ip-address.ts'
import { TestApp } from '../../../../support/test-app.ts'

/** A request to `url` over a connection from `peer`, in the eyes of a server. */
function seen(options: FrontOptions, url: string, headers: Record<string, string> = {}, peer = '10.0.0.7') {
  const front = new Front({ addressOf: () => peer, ...options })
  const request = new Request(url, { headers: { host: new URL(url).host, ...headers } })
  return { address: front.addressOf(request), origin: front.originOf(request), secure: front.isSecure(request) }
}

const INSIDE = 'http://10.0.0.1:8787/'
const trustedProxies = ['10.0.0.0/8', 'fd00::/8']

describe('Front', () => {
  test('Front builds no link from a forged Host', () => {
    expect(seen({}, 'http://evil.example/').origin).toBeUndefined()
    // Bun makes such a URL of such a `Host`.
    for (const url of ['http://localhost:99999/api/jobs', 'http://[::1]evil/', 'http://%/']) {
      const request = { url, headers: new Headers() } as Request
      expect(new Front({}).originOf(request)).toBeUndefined()
      request.headers.set('origin', 'https://example.com')
      expect(new Front({}).isFromOurPages(request)).toBe(false)
    }
    const forged = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' }
    const asForwarded = { forwarded: 'for=192.0.2.1;host=evil.example;proto=https' }
    for (const headers of [forged, asForwarded]) {
      const nothing = { address: '10.0.0.7', origin: undefined, secure: false }
      expect(seen({}, 'http://10.0.0.1/', headers)).toEqual(nothing)
      expect(seen({ trustedProxies: ['10.0.0.8'] }, 'http://10.0.0.1/', headers)).toEqual(nothing)
      expect(seen({}, 'http://localhost:8787/', headers).origin).toBe('http://localhost:8787')
    }
  })

  test('Front trusts a Host that names this machine or a configured one', () => {
    for (const origin of ['http://localhost:8787', 'http://127.0.0.1', 'http://127.1.2.3:80', 'https://[::1]:1'])
      expect(seen({}, origin).origin).toBe(new URL(origin).origin)
    for (const other of ['http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://[7f00::1]'])
      expect(seen({}, other).origin).toBeUndefined()
    expect(seen({ hosts: ['10.0.0.1'] }, INSIDE).origin).toBe('http://10.0.0.1:8787')
    expect(seen({ hosts: ['fd00::1'] }, 'http://[fd00::1]:1/').origin).toBe('http://[fd00::1]:1')
    expect(seen({ hosts: ['*'] }, 'https://any.example/').origin).toBe('https://any.example')
  })

  test('Front uses the public origin, whatever a request says', () => {
    const publicOrigin = 'https://example.com'
    const expected = { address: '10.0.0.7', origin: publicOrigin, secure: true }
    expect(seen({ publicOrigin }, 'http://evil.example/')).toEqual(expected)
    expect(seen({ publicOrigin: 'http://plain.example' }, 'https://localhost/').secure).toBe(false)
  })

  test("Front trusts a configured proxy for the client's address, protocol and host", () => {
    const client = { address: '192.0.2.1', origin: 'https://example.com', secure: true }
    const named = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'Example.com' }
    expect(seen({ trustedProxies }, INSIDE, named)).toEqual(client)
    const { 'x-forwarded-host': _, ...kept } = named
    expect(seen({ trustedProxies }, 'http://example.com/', kept)).toEqual(client)
    const rfc7239 = 'For="192.0.2.1:4711"; Proto=https;host="example.com", for="[fd00::2]:80";proto=http;host=inner'
    expect(seen({ trustedProxies }, INSIDE, { forwarded: rfc7239 })).toEqual(client)
    // What such a proxy does not say is as it is.
    expect(seen({ trustedProxies }, INSIDE)).toEqual({
      address: '10.0.0.7',
      origin: 'http://10.0.0.1:8787',
      secure: false,
    })
    expect(seen({ trustedProxies: ['10.0.0.7'] }, INSIDE, named, '::ffff:10.0.0.7')).toEqual(client)
  })

  test('Front takes a host that makes no URL for none, whichever header has it', () => {
    const proto = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' }
    for (const host of ['a.example:65536', 'a.example:99999', '[::g]', 'a b', '1.2.3.256']) {
      const forwarded = { ...proto, 'x-forwarded-host': host }
      expect(seen({ trustedProxies }, INSIDE, forwarded).origin).toBe('https://10.0.0.1:8787')
      expect(seen({ trustedProxies }, INSIDE, { ...proto, host }).origin).toBeUndefined()
      expect(seen({ trustedProxies }, INSIDE, { forwarded: `for=192.0.2.1;proto=https;host="${host}"` }).origin).toBe(
        'https://10.0.0.1:8787',
      )
    }
    expect(seen({ trustedProxies }, INSIDE, { ...proto, 'x-forwarded-host': 'a.example:65535' }).origin).toBe(
      'https://a.example:65535',
    )
  })

  test('Front ignores forged headers that a trusted proxy passes on', () => {
    const chain = { 'x-forwarded-for': '127.0.0.1, 198.51.100.2, 10.0.0.9', 'x-forwarded-proto': 'https' }
    expect(seen({ trustedProxies }, INSIDE, chain).address).toBe('198.51.100.2')
    // The proxy sets one kind of header and passes on the other, which is the client's.
    const other = { ...chain, forwarded: 'for=203.0.113.9;host=evil.example' }
    expect(seen({ trustedProxies }, INSIDE, other)).toMatchObject({
      address: '198.51.100.2',
      origin: 'https://10.0.0.1:8787',
    })
    const odd = { 'x-forwarded-for': 'unknown', 'x-forwarded-proto': 'gopher', 'x-forwarded-host': 'a/b@c' }
    expect(seen({ trustedProxies }, INSIDE, odd)).toEqual({
      address: '10.0.0.7',
      origin: 'http://10.0.0.1:8787',
      secure: false,
    })
  })

  test('Front distinguishes requests of our own pages from cross-site requests', () => {
    const isOurs = (options: FrontOptions, url: string, headers: Record<string, string>) =>
      new Front(options).isFromOurPages(new Request(url, { headers: { host: new URL(url).host, ...headers } }))
    const publicOrigin = 'https://example.com'
    // A proxy that passes on no Host leaves its own address in it.
    expect(isOurs({ publicOrigin }, INSIDE, { origin: publicOrigin })).toBe(true)
    expect(isOurs({ publicOrigin }, INSIDE, { origin: 'http://10.0.0.1:8787' })).toBe(false)
    expect(isOurs({ publicOrigin }, INSIDE, { 'sec-fetch-site': 'same-origin' })).toBe(true)
    const proxied = { addressOf: () => '10.0.0.7', trustedProxies }
    const forwarded = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'example.com' }
    expect(isOurs(proxied, INSIDE, { ...forwarded, origin: publicOrigin })).toBe(true)
    expect(isOurs({}, INSIDE, { ...forwarded, origin: publicOrigin })).toBe(false)
  })

  test('Front refuses a trusted proxy that is no address', () => {
    expect(() => new Front({ trustedProxies: ['proxy.example'] })).toThrow(TypeError)
  })
})

describe('parseAddress', () => {
  test('parseAddress reads IPv4 and IPv6 in every form, and nothing else', () => {
    const text = (address: string) => parseAddress(address)?.join('.')
    expect(text('192.0.2.255')).toBe('192.0.2.255')
    expect(text('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(text('::FFFF:c000:201')).toBe('192.0.2.1')
    expect(text('::')).toBe('0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0')
    expect(text('2001:db8::1')).toBe('32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1')
    expect(text('2001:0DB8:0:0:0:0:0:1')).toBe(text('2001:db8::1') ?? '')
    expect(text('fe80::1%eth0')).toBe(text('fe80::1') ?? '')
    for (const odd of [
      '',
      'x',
      '1.2.3',
      '1.2.3.256',
      '1.2.3.4.5',
      ':',
      '1::2::3',
      '::g',
      '1.2.3.4:80',
      '[::1]',
      '007.7.7.007',
      '1.2.3.00',
    ])
      expect([odd, text(odd)]).toEqual([odd, undefined])
  })

  test('isWithin compares as many bits as a range says', () => {
    const within = (address: string, range: string) =>
      isWithin(parseAddress(address) as Uint8Array, parseRange(range) as { bytes: Uint8Array; bits: number })
    for (const [address, range] of [
      ['10.1.2.3', '10.0.0.0/8'],
      ['10.1.2.3', '10.1.2.3'],
      ['10.1.2.3', '0.0.0.0/0'],
      ['172.31.255.255', '172.16.0.0/12'],
      ['2001:db8:ffff::1', '2001:db8::/32'],
    ] as const)
      expect([address, range, within(address, range)]).toEqual([address, range, true])
    for (const [address, range] of [
      ['11.1.2.3', '10.0.0.0/8'],
      ['172.32.0.0', '172.16.0.0/12'],
      ['10.1.2.4', '10.1.2.3'],
      ['2001:db9::1', '2001:db8::/32'],
      ['::1', '0.0.0.0/0'],
    ] as const)
      expect([address, range, within(address, range)]).toEqual([address, range, false])
  })
})

describe('POST /api/jobs/:id/tokens', () => {
  test('POST /api/jobs/:id/tokens makes no URL of a stranger’s Host: it is a path, unless the server knows where it is', async () => {
    const urlOf = async (app: TestApp, origin: string) => {
      await app.create({ id: 'j' })
      const response = await app.request('POST', `${origin}/api/jobs/j/tokens`, {}, { host: new URL(origin).host })
      const { url } = (await response.json()) as { url: string }
      return url.replace(/token=.*/, 'token=…')
    }
    const path = '/api/jobs/j/progress?token=…'
    expect(await urlOf(new TestApp(), 'http://evil.example')).toBe(path)
    expect(await urlOf(new TestApp(), 'http://localhost:8787')).toBe(`http://localhost:8787${path}`)
    const known = new TestApp({ publicOrigin: 'https://example.com' })
    expect(await urlOf(known, 'http://evil.example')).toBe(`https://example.com${path}`)
  })
})
