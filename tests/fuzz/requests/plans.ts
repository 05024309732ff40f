import fc from 'fast-check'
import { type Body, formBody, jsonBody, linesBody } from './bodies.ts'
import { hostileText, mutated } from './hostile.ts'
import { arbitraryOf, type Schema, someOf } from './schema-arbitrary.ts'

/** A request to be made. What stands between {{ }} is filled in then: ids, cursors and tokens that there are by that time. */
export interface Plan {
  /** What of the description it is for: `GET /api/jobs`. Nothing, for what is not in it. */
  operation: string
  /** Whose credentials it has: see `World`. */
  as: string
  method: string
  path: string
  headers: readonly (readonly [name: string, value: string])[]
  body?: Body
}

interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  schema: Schema
}

interface Operation {
  method: string
  path: string
  parameters: Parameter[]
  content: Record<string, { schema: Schema }>
}

/** What the description of the API says, as far as requests are made from it. */
export interface Description {
  paths: Record<string, Record<string, { parameters?: Parameter[]; requestBody?: { content: Operation['content'] } }>>
  components: { schemas: Record<string, Schema> }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'get', 'X-METHOD']

/** Whose credentials a request has. */
export const credentials = [
  'mallory',
  'reader',
  'writer',
  'operator',
  'nobody',
  'guest',
  'header guest',
  'publisher',
  'session',
  'expired',
  'not yet',
  'for ever',
  'without exp',
  'unsigned',
  'other secret',
  'as RS256',
  'session as bearer',
  'expired guest',
  'guest of another life',
  'cut',
  'garbage',
] as const

const as: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: fc.constant('mallory') },
  {
    weight: 6,
    arbitrary: fc.constantFrom('guest', 'header guest', 'publisher', 'operator', 'session', 'reader', 'writer'),
  },
  { weight: 3, arbitrary: fc.constantFrom(...credentials) },
)

/** What only administrators may do. */
const OF_OPERATORS = [
  ...['/api/audit', '/api/operator', '/api/operator/progress', '/api/sign-in-links', '/metrics'],
  ...['/api/webhooks/undelivered', '/api/webhooks/undelivered/{id}/send'],
]

const jobId = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom('{{mine0}}', '{{mine0}}', '{{mine1}}', '{{mine2}}', '{{mine3}}') },
  { weight: 4, arbitrary: fc.constantFrom('{{theirs0}}', '{{theirs1}}', '{{theirs2}}') },
  { weight: 2, arbitrary: fc.constantFrom('{{gone}}', '{{made}}', 'none') },
  { weight: 1, arbitrary: hostileText.map(encode) },
)

/** Cursors: of these jobs, of others, changed, none. */
const cursor = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '{{epoch}}-0',
      '{{epoch}}-1',
      '{{epoch}}-2',
      '{{epoch}}.g-1',
      '{{theirEpoch}}-1',
      '{{listCursor}}',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '{{epoch}}-9007199254740993',
      '{{epoch}}--1',
      '{{epoch}}-01',
      '{{epoch}}-1e3',
      '{{epoch}}-NaN',
      '{{epoch}}.-1',
      '{{listCursor}}x',
      '-{{listCursor}}',
      '1e309',
      '0x10',
      '-1',
      '9'.repeat(256),
      '=',
      'bnVsbA',
    ),
  },
  { weight: 1, arbitrary: hostileText.map(encode) },
)

/** A text as a part of an address: percent-encoded, or as near to bare as an address may have it. */
function encode(text: string): string {
  const wellFormed = text.toWellFormed()
  return wellFormed.length % 3 === 0 ? encodeURI(wellFormed) : encodeURIComponent(wellFormed)
}

/** The type of simple forms, which our own pages send. */
const FIELDS = 'application/x-www-form-urlencoded'
const OUR_PAGE = ['sec-fetch-site', 'same-origin'] as const

const token = fc.constantFrom(
  '{{watchToken}}',
  '{{watchToken}}',
  '{{watchToken}}',
  '{{headerToken}}',
  '{{headerToken}}',
  '{{publishToken}}',
  '{{accessToken}}',
  '{{expiredToken}}',
  'x',
  '',
)

function parameterValue(
  path: string,
  { name, schema }: Parameter,
  schemas: Record<string, Schema>,
): fc.Arbitrary<string> {
  const hostile = { weight: 1, arbitrary: hostileText.map(encode) }
  if (name === 'id' && path.startsWith('/api/sessions'))
    return fc.oneof(fc.constantFrom('{{mineSession}}', '{{theirSession}}'), hostile)
  if (name === 'id' && path.startsWith('/api/webhooks'))
    return fc.oneof({ weight: 6, arbitrary: fc.constant('{{undelivered}}') }, hostile)
  if (name === 'id' && path.includes('/answers/'))
    return fc.oneof({ weight: 3, arbitrary: fc.constant('{{mine0}}') }, { weight: 1, arbitrary: jobId })
  if (name === 'id') return jobId
  if (name === 'token') return token
  if (name === 'code') return fc.oneof(fc.constantFrom('{{code}}', 'x', ''), hostile)
  if (['since', 'cursor', 'Last-Event-ID', 'If-None-Match'].includes(name)) return cursor
  if (name === 'job')
    return fc.oneof(
      jobId,
      fc.tuple(jobId, cursor).map(([id, since]) => `${id}@${since}`),
    )
  if (name === 'parent' || name === 'ce-subject') return jobId
  if (name === 'ce-specversion') return fc.constant('1.0')
  if (name === 'ce-type') return fc.constantFrom('milepost.progress', 'milepost.log', 'milepost.item')
  if (name === 'ask') return fc.oneof({ weight: 6, arbitrary: fc.constantFrom('a', 'b', '__proto__') }, hostile)
  if (name === 'epoch') return fc.constantFrom('{{epoch}}', '{{epoch}}', '{{epoch}}', '{{theirEpoch}}', 'x', '', '%00')
  if (name === 'page') return fc.oneof(fc.constantFrom('wire', 'api', '__proto__'), hostile)
  if (name === 'name') {
    const known = fc.constantFrom('sync', 'analysis', 'matching')
    return fc.oneof({ weight: 6, arbitrary: known }, fc.constantFrom('__proto__', 'constructor', '%00'))
  }
  if (name === 'Idempotency-Key')
    return fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('k1', 'k2', 'k3') },
      { weight: 1, arbitrary: fc.constantFrom('', 'a b', 'x'.repeat(256)) },
      hostile,
    )
  const values = arbitraryOf(schema, schemas, name).map((value) => encode(String(value)))
  return fc.oneof({ weight: 4, arbitrary: values }, hostile)
}

const header = fc.oneof(
  fc.tuple(
    fc.constantFrom(
      'accept',
      'x-request-id',
      'user-agent',
      'referer',
      'x-forwarded-for',
      'x-forwarded-host',
      'forwarded',
    ),
    fc.oneof(fc.constantFrom('evil.example', '127.0.0.1', 'for=_x;host=evil.example', '*/*', 'text/html'), hostileText),
  ),
  fc.tuple(
    fc.constantFrom(
      'origin',
      'sec-fetch-site',
      'last-event-id',
      'if-none-match',
      'content-encoding',
      'transfer-encoding',
    ),
    fc.oneof(
      fc.constantFrom(
        'https://evil.example',
        'null',
        'cross-site',
        'same-origin',
        '{{epoch}}-1',
        '*',
        'W/"{{epoch}}-1"',
        'gzip',
      ),
      hostileText,
    ),
  ),
  fc.tuple(
    fc.constantFrom('cookie'),
    fc.constantFrom('milepost_session=x', 'milepost_session=', '__Host-milepost_session=x', ';;='),
  ),
  fc.tuple(fc.constantFrom('x-long'), fc.constantFrom('x'.repeat(8_000))),
)

function planOf(operation: Operation, schemas: Record<string, Schema>): fc.Arbitrary<Plan> {
  const values = (place: Parameter['in']) => operation.parameters.filter((parameter) => parameter.in === place)
  const record = (parameters: Parameter[], requiredKeys: string[]) =>
    someOf(
      Object.fromEntries(parameters.map((one) => [one.name, parameterValue(operation.path, one, schemas)])),
      requiredKeys,
    )
  const inPath = values('path').map(({ name }) => name)
  const bodies = Object.entries(operation.content).map(([type, { schema }]) => bodyOf(type, schema, operation, schemas))
  const body = bodies.length === 0 ? fc.constant(undefined) : fc.oneof(...bodies)
  const method = fc.oneof(
    { weight: 25, arbitrary: fc.constant(operation.method) },
    { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
  )
  return fc
    .record({
      as: OF_OPERATORS.includes(operation.path) ? fc.oneof(as, fc.constant('operator')) : as,
      method,
      path: record(values('path'), inPath),
      query: fc.oneof(fc.constant<Record<string, string>>({}), record(values('query'), [])),
      headers: fc.oneof(fc.constant<Record<string, string>>({}), record(values('header'), [])),
      more: fc.array(header, { maxLength: 2 }),
      odd: fc.oneof(
        { weight: 30, arbitrary: fc.constant('') },
        { weight: 1, arbitrary: fc.constantFrom('&owner=victim', '&&=', '&limit=1&limit=2', '#x') },
      ),
      body: fc.oneof({ weight: 12, arbitrary: body }, { weight: 1, arbitrary: fc.constant(undefined) }),
    })
    .map(({ as, method, path, query, headers, more, odd, body }) => {
      const filled = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => String(path[name]))
      const asked = Object.entries(query).map(([name, value]) => `${name}=${value}`)
      return {
        operation: `${operation.method} ${operation.path}`,
        as,
        method,
        path: `${filled}?${asked.join('&')}${odd}`.replace(/\?$/, ''),
        headers: [...Object.entries(headers), ...(FIELDS in operation.content ? [OUR_PAGE] : []), ...more],
        ...(body && !['GET', 'HEAD', 'get'].includes(method) ? { body } : {}),
      }
    })
}

function bodyOf(
  type: string,
  schema: Schema,
  { path }: Operation,
  schemas: Record<string, Schema>,
): fc.Arbitrary<Body> {
  if (type === 'multipart/form-data') return formBody
  if (type === FIELDS) return fieldsBody
  const event = schemas.Event ?? {}
  if (path === '/api/cloudevents') return cloudEventsBody(type, arbitraryOf(event, schemas))
  if (type === 'application/x-ndjson') return linesBody(arbitraryOf(event, schemas))
  const value = arbitraryOf(schema, schemas)
  // An answer counts for the message that the job asks.
  const answer = value.map((fields) => ({ ...Object(fields), message: 'Go on?' }))
  const values = jsonBody(path.includes('/answers/') ? fc.oneof(value, answer) : value)
  if (!path.endsWith('/events')) return values
  // Seldom, for they take long: at the limits, and beyond them.
  const many = fc
    .tuple(arbitraryOf(event, schemas), fc.constantFrom(20, 21, 200))
    .map(([one, count]): Body => ({ type, content: JSON.stringify(Array.from({ length: count }, () => one)) }))
  const long = fc
    .constantFrom(8_193, 16_385, 70_000)
    .map((length): Body => ({ type, content: JSON.stringify({ type: 'log', message: 'm'.repeat(length) }) }))
  return fc.oneof({ weight: 100, arbitrary: values }, { weight: 2, arbitrary: many }, { weight: 1, arbitrary: long })
}

/** CloudEvents of this type of body, with events as their data. */
function cloudEventsBody(type: string, event: fc.Arbitrary<unknown>): fc.Arbitrary<Body> {
  const attributes = fc.record({ id: fc.constantFrom('1', '2', '3', '4', '5', '6', '7'), subject: jobId })
  const one = fc.tuple(attributes, event).map(([{ id, subject }, value]) => {
    const { type: kind, ...data } = Object(value) as Record<string, unknown>
    return { specversion: '1.0', source: '/fuzz', id, subject, type: `milepost.${kind}`, data }
  })
  if (type === 'application/json') return one.map(({ data }) => ({ type, content: JSON.stringify(data) }))
  const values = type.includes('batch') ? fc.array(one, { maxLength: 4 }) : one
  const all = fc.oneof({ weight: 6, arbitrary: values }, { weight: 1, arbitrary: mutated(values) })
  return all.map((value) => ({ type, content: JSON.stringify(value) ?? '' }))
}

/** The form of the sign-in page. */
const fieldsBody: fc.Arbitrary<Body> = fc
  .tuple(fc.oneof(token, fc.constant('{{accessToken}}'), hostileText.map(encode)), jobId)
  .map(([token, job]) => ({ type: FIELDS, content: `job=${job}&token=${token}` }))

/** Addresses that are not in the description. */
const elsewhere: fc.Arbitrary<Plan> = fc.record({
  operation: fc.constant(''),
  as,
  method: fc.constantFrom(...METHODS),
  path: fc.oneof(
    fc.constantFrom(
      '/api',
      '/api/',
      '/api//jobs',
      '/api/jobs/',
      '/API/jobs',
      '/api/jobs/{{mine0}}/',
      '/api/jobs/{{theirs0}}/events/',
      '/api/jobs/{{theirs0}}/../{{mine0}}',
      '/api/jobs/{{theirs0}}%2fprogress',
      '/api/jobs/{{mine0}}%00',
      '/dashboard.js',
      '/operator.js',
      '/dashboard.css',
      '/favicon.ico',
      '/.env',
      '/.git/config',
      '/index.html',
      '//evil.example/',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/jobs/%3Cscript%3E',
      '/sign-in?code={{watchToken}}',
      '/*',
    ),
    hostileText.map((text) => `/${encode(text)}`),
  ),
  headers: fc.array(header, { maxLength: 2 }),
})

/** What the description says that can be asked: `GET /api/jobs`. */
export function operationsOf({ paths }: Description): string[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

/** Requests for all that the description of the API names, nearly right most of them, and some for what it does not. */
export function plansFor({ paths, components: { schemas } }: Description): fc.Arbitrary<Plan> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => {
      return { method: method.toUpperCase(), path, parameters, content: requestBody?.content ?? {} }
    }),
  )
  const weights: Record<string, number> = {
    'POST /api/jobs/{id}/events': 12,
    'POST /api/events': 4,
    'POST /api/services/{name}': 4,
    'GET /api/jobs/{id}/progress': 4,
    'GET /api/progress': 4,
    'GET /api/jobs': 4,
    'GET /api/jobs/{id}': 4,
  }
  return fc.oneof(
    ...operations.map((operation) => ({
      weight: weights[`${operation.method} ${operation.path}`] ?? 2,
      arbitrary: planOf(operation, schemas),
    })),
    { weight: 2, arbitrary: elsewhere },
  )
}
