import { describe, expect, test } from 'bun:test'
import { newHeader } from '../arbitraries.ts'
import { expectDescribed } from '../support/described-answers.ts'

/** What is wrong with an answer. */
async function faultOf(method: string, path: string, response: Response): Promise<string> {
  return expectDescribed(method, path, response).then(
    () => '',
    (error: Error) => error.message,
  )
}

describe('expectDescribed', () => {
  const header = newHeader()
  const receipt = { version: 1, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 250 }
  const problem = { type: 'urn:milepost:not-found', title: 'T', status: 404, detail: 'D' }
  const asProblem = { headers: { 'content-type': 'application/problem+json' } }

  test('expectDescribed takes what is described', async () => {
    const events = '/api/jobs/a/events'
    expect(await faultOf('POST', events, Response.json(receipt))).toBe('')
    expect(await faultOf('POST', events, Response.json(problem, { ...asProblem, status: 404 }))).toBe('')
    expect(await faultOf('GET', '/nothing', Response.json(problem, { ...asProblem, status: 404 }))).toBe('')
    expect(await faultOf('GET', '/api/jobs', Response.json({ jobs: [header] }))).toBe('')
    expect(await faultOf('DELETE', '/api/jobs/a', new Response(null, { status: 204 }))).toBe('')
  })

  test('expectDescribed names the place that differs', async () => {
    const answers = 'GET /api/jobs answers 200: '
    const jobs = (job: object) => faultOf('GET', '/api/jobs', Response.json({ jobs: [header, job] }))
    expect(await jobs({ ...header, version: '1' })).toStartWith(`${answers}jobs.1.version: `)
    expect(await jobs({ ...header, progress: {} })).toStartWith(`${answers}jobs.1.progress.done: `)
    expect(await jobs({ ...header, more: 1 })).toMatch(/^GET \/api\/jobs answers 200: jobs\.1: .*"more"/)
    expect(await faultOf('GET', '/api/jobs/a', Response.json({ ...header, version: -1 }))).toStartWith(
      'GET /api/jobs/a answers 200: version: ',
    )
  })

  test('expectDescribed refuses a status, a type and a body that are not described', async () => {
    const path = '/api/jobs/a/events'
    expect(await faultOf('POST', path, Response.json(receipt, { status: 201 }))).toEndWith(
      'a status that is not described',
    )
    expect(await faultOf('POST', path, new Response('{}'))).toContain('the type (none)')
    expect(await faultOf('POST', path, Response.json(problem, { status: 404 }))).toContain('the type application/json')
    expect(await faultOf('GET', '/nothing', Response.json({}))).toEndWith('a status that is not described')
    expect(await faultOf('DELETE', '/api/jobs', Response.json({}, { status: 202 }))).toEndWith(
      'a body that is not described',
    )
  })
})
