import fc from 'fast-check'
import { hostileText } from './hostile.ts'

/** Who and what raw requests may name. */
export interface Known {
  token: string
  job: string
  theirs: string
}

/** What goes over one connection, in so many writes. */
export type Writes = readonly Uint8Array[]

const bytes = (text: string) => Buffer.from(text, 'utf8')

/** Bytes as they are sent, to be read and made again. */
export const written = (writes: Writes): string =>
  writes.map((write) => JSON.stringify(Buffer.from(write).toString('latin1'))).join('\n')

const event = '{"type":"progress","done":1}'

/** Connections with requests that are nearly right, one after another, cut short, or none at all. */
export function rawRequests({ token, job, theirs }: Known): fc.Arbitrary<Writes> {
  const path = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        `/api/jobs/${job}/events`,
        `/api/jobs/${job}`,
        `/api/jobs/${job}/progress`,
        '/api/progress',
        '/api/jobs',
        `/api/jobs/${theirs}`,
        `/api/jobs/${theirs}/progress`,
        '/api/services/analysis',
        '/healthz',
        '/',
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '*',
        '',
        'http://evil.example/healthz',
        'evil.example:443',
        '/%',
        '/\u0000',
        '/a b',
        '//',
        '/../../etc/passwd',
        `/${'x'.repeat(20_000)}`,
        '/\u{1f600}',
        '/\\..\\',
        '?',
        '#',
      ),
    },
    { weight: 1, arbitrary: hostileText },
  )
  const method = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('GET', 'POST', 'POST', 'HEAD', 'OPTIONS') },
    { weight: 1, arbitrary: fc.constantFrom('', 'get', 'TRACE', 'CONNECT', 'PRI', 'G\0T', 'X'.repeat(3_000), 'GET\t') },
  )
  const version = fc.oneof(
    { weight: 12, arbitrary: fc.constant('HTTP/1.1') },
    { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTTP/1.1 x', '', 'http/1.1') },
  )
  const authorization = fc.oneof(
    { weight: 6, arbitrary: fc.constant(`authorization: Bearer ${token}`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'authorization: Bearer',
        'authorization: Bearer \u0001',
        'authorization: Basic eDp5',
        'Authorization:Bearer x.y.z',
      ),
    },
  )
  const header = fc.oneof(
    fc.constantFrom(
      'host: localhost',
      'host: a',
      'host:',
      'host: localhost\r\nhost: evil.example',
      'connection: close',
      'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13',
      'upgrade: h2c',
      'expect: 100-continue',
      'expect: nonsense',
      'content-type: application/json',
      'content-type: multipart/form-data; boundary=b',
      'range: bytes=0-1',
      'accept-encoding: gzip',
      'last-event-id: \u0000',
      'x: a\r\n folded',
      ' leading: space',
      'space : before',
      'no colon',
      ': no name',
      'x\u0000y: z',
      'x: y\u0000z',
      'x: y\rz: w',
      'x: \u{1f600}',
      `x: ${'y'.repeat(20_000)}`,
      Array.from({ length: 300 }, (_, n) => `x${n}: y`).join('\r\n'),
    ),
    hostileText.map((text) => `x: ${text}`),
  )
  const body = fc.constantFrom(
    '',
    `content-length: ${event.length}\r\n\r\n${event}`,
    `content-length: ${event.length}\r\n\r\n${event.slice(9)}`,
    `content-length: ${event.length - 4}\r\n\r\n${event}`,
    `content-length: 999999999999\r\n\r\n${event}`,
    `content-length: -1\r\n\r\n${event}`,
    `content-length: +28\r\n\r\n${event}`,
    `content-length: 2 8\r\n\r\n${event}`,
    `content-length: 0x1c\r\n\r\n${event}`,
    `content-length: 28\r\ncontent-length: 5\r\n\r\n${event}`,
    `content-length: 99999999999999999999999\r\n\r\n${event}`,
    `transfer-encoding: chunked\r\n\r\n1c\r\n${event}\r\n0\r\n\r\n`,
    `transfer-encoding: chunked\r\n\r\n1c\r\n${event}`,
    `transfer-encoding: chunked\r\n\r\n1c\r\n${event}\r\n`,
    `transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n${event}`,
    `transfer-encoding: chunked\r\n\r\n-1\r\n${event}`,
    `transfer-encoding: chunked\r\n\r\nzz\r\n${event}`,
    `transfer-encoding: chunked\r\n\r\n1c;${'x'.repeat(5_000)}\r\n${event}\r\n0\r\n\r\n`,
    `transfer-encoding: chunked\r\n\r\n1c\r\n${event}\r\n0\r\nx: trailer\r\n\r\n`,
    `transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `transfer-encoding: chunked, identity\r\n\r\n${event}`,
    `transfer-encoding: \u000bchunked\r\n\r\n0\r\n\r\n`,
    `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nDELETE /api/jobs/${theirs} HTTP/1.1\r\nhost: x\r\n\r\n`,
    `content-type: multipart/form-data; boundary=b\r\ncontent-length: 30\r\n\r\n--b\r\ncontent-disposition: form-d`,
  )
  const request = fc
    .tuple(
      method,
      path,
      version,
      authorization,
      fc.oneof(fc.constant([]), fc.array(header, { minLength: 1, maxLength: 3 })),
      body,
    )
    .map(([method, path, version, authorization, headers, body]) => {
      const head = [
        `${method} ${path} ${version}`,
        'host: localhost',
        'content-type: application/json',
        authorization,
        ...headers,
      ]
      return `${head.join('\r\n')}\r\n${body === '' ? '\r\n' : body}`
    })
  const none = fc.constantFrom(
    '',
    `DELETE /api/jobs/${theirs} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`,
    '\r\n',
    '\n\n',
    '\0\0\0\0',
    '\u0016\u0003\u0001\u0002\0\u0001\0',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET /\r\n\r\n',
    'GET / HTTP/1.1\n\n',
  )
  const text = fc.oneof(
    { weight: 10, arbitrary: request },
    { weight: 3, arbitrary: fc.array(request, { minLength: 2, maxLength: 4 }).map((several) => several.join('')) },
    { weight: 1, arbitrary: none },
  )
  return fc
    .tuple(
      text,
      fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
      fc.nat({ max: 3 }),
    )
    .map(([text, part, cuts]) => {
      const all = bytes(text)
      const sent = all.subarray(0, Math.ceil(all.length * part))
      const size = Math.max(1, Math.ceil(sent.length / (cuts + 1)))
      return Array.from({ length: Math.ceil(sent.length / size) }, (_, n) => sent.subarray(n * size, (n + 1) * size))
    })
}
