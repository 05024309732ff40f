import { describe, expect, test } from 'bun:test'
import { createCurl } from '../../../../client/dashboard/docs/curl.ts'
import { describeSchema, listAnswers, listCalls, type OpenApi } from '../../../../client/dashboard/docs/openapi.ts'
import { createSnippet } from '../../../../client/dashboard/job/more/snippet.ts'
import { createOpenApi } from '../../../../server/http/openapi/openapi.ts'
import { createEventSchema } from '../../../../shared/document/events.ts'
import { defaultLimits } from '../../../../shared/document/limits.ts'
import { createRequestSchemas } from '../../../../shared/wire/api.ts'

const base = new URL('https://example.org/progress/')
const api = { ...createOpenApi(defaultLimits), servers: [{ url: '/progress/' }] } as unknown as OpenApi
const calls = listCalls(api)
const curlOf = (method: string, path: string) => {
  const call = calls.find((one) => one.method === method && one.path === path)
  return call && createCurl(call, api, base)
}

describe('createCurl', () => {
  test('createCurl makes a line for each kind of call', () => {
    const bearer = '-H "authorization: Bearer $TOKEN"'
    expect(curlOf('GET', '/api/jobs/{id}')).toBe(`curl https://example.org/progress/api/jobs/import-7 ${bearer}`)
    expect(curlOf('DELETE', '/api/jobs/{id}')).toBe(
      `curl -X DELETE https://example.org/progress/api/jobs/import-7 ${bearer}`,
    )
    expect(curlOf('GET', '/api/jobs/{id}/progress')).toBe(
      `curl -N https://example.org/progress/api/jobs/import-7/progress ${bearer}`,
    )
    expect(curlOf('POST', '/api/services/{name}')).toBe(
      `curl https://example.org/progress/api/services/sync ${bearer} -F sample=true`,
    )
  })

  test('createCurl sends what the server takes', () => {
    const bodyOf = (path: string) => JSON.parse(/--json '(.*)'$/.exec(curlOf('POST', path) ?? '')?.[1] ?? '')
    expect(createRequestSchemas(defaultLimits).createJob.parse(bodyOf('/api/jobs'))).toEqual({
      kind: 'import',
      title: 'Import customers.csv',
    })
    const event = createEventSchema(defaultLimits).parse(bodyOf('/api/jobs/{id}/events'))
    expect(event).toEqual({ type: 'progress', done: 13 })
  })
})

describe('listCalls', () => {
  test('listCalls names each call once', () => {
    expect(calls.length).toBeGreaterThan(10)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length)
  })
})

describe('listAnswers', () => {
  test('listAnswers puts together the statuses that mean the same', () => {
    const responses = {
      200: { description: 'Good' },
      '4XX': { description: 'Refused' },
      '5XX': { description: 'Refused' },
    }
    expect(listAnswers({ responses })).toEqual([
      { statuses: '200', description: 'Good' },
      { statuses: '4XX, 5XX', description: 'Refused' },
    ])
  })
})

describe('describeSchema', () => {
  test('describeSchema says a type in a few words', () => {
    expect(describeSchema({ $ref: '#/components/schemas/Job' })).toBe('Job')
    expect(describeSchema({ enum: ['a', 'b'] })).toBe('"a" or "b"')
    expect(describeSchema({ type: 'array', items: { $ref: '#/components/schemas/Event' } })).toBe('list of Event')
    expect(describeSchema({ anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'string' }] })).toBe(
      'string or number',
    )
    expect(describeSchema({})).toBe('anything')
  })
})

describe('createSnippet', () => {
  test('createSnippet is HTML for another page', () => {
    expect(createSnippet(base, 'api/jobs/p7f2', 'abc')).toBe(`<script type="module"
  src="https://example.org/progress/widget.js"></script>
<job-progress
  src="https://example.org/progress/api/jobs/p7f2"
  token="abc"></job-progress>`)
    expect(createSnippet(base, 'api/jobs/p7f2', undefined)).not.toContain('token')
  })
})
