import { describe, expect, test } from 'bun:test'
import type { AppOptions } from '../../../../server/app.ts'
import type { AuditRecord } from '../../../../shared/wire/api.ts'
import { TestApp } from '../../../support/test-app.ts'

const assets = { 'dashboard.js': '', 'operator.js': '', 'dashboard.css': '', 'widget.js': '' }

function audited(options: Partial<AppOptions> = {}) {
  const records: AuditRecord[] = []
  const test = new TestApp({ onAudit: (record) => records.push(record), assets, ...options })
  return { test, records }
}

describe('createApp with onAudit', () => {
  test('onAudit gets the address that the runtime tells, and the route of a refused request, not its path', async () => {
    const { test, records } = audited({ addressOf: () => '192.0.2.1' })
    const headers = { authorization: 'Bearer x.y.z' }
    await test.app.request('/api/jobs/a~secret/events', { method: 'POST', headers })
    await test.app.request('/api/a-secret', { headers })
    await test.app.request('/metrics?token=secret')
    await test.app.request('/sign-in?code=secret')
    expect(records.map(({ action, method, path, address }) => [action, method, path, address])).toEqual([
      ['credentials-refused', 'POST', '/api/jobs/:id/events', '192.0.2.1'],
      ['credentials-refused', 'GET', '/*', '192.0.2.1'],
      ['credentials-refused', 'GET', '/metrics', '192.0.2.1'],
      ['credentials-refused', 'GET', '/sign-in', '192.0.2.1'],
    ])
    expect(JSON.stringify(records)).not.toContain('secret')
  })

  test('onAudit gets no record of strangers, of missing jobs, and of requests that are wrong', async () => {
    const { test, records } = audited()
    await test.app.request('/api/jobs')
    await test.app.request('/')
    await test.app.request('/metrics')
    await test.app.request('/sign-in')
    await test.request('GET', '/api/jobs/none')
    await test.request('POST', '/api/jobs', {})
    await test.request('GET', '/nothing')
    expect(records).toEqual([])
  })

  test('onAudit gets a request from a page of another site, with whom it was refused to', async () => {
    const { test, records } = audited()
    await test.app.request('/sign-out', { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } })
    expect(records).toMatchObject([{ action: 'refused', path: '/sign-out', detail: 'Cross-site request refused.' }])
  })

  test('a request does not wait for the audit, nor fail with it', async () => {
    const { test } = audited()
    const { put } = test.engine.notes
    test.engine.notes.put = (note, ...rest) =>
      note.key.startsWith('audit-') ? new Promise(() => {}) : put.call(test.engine.notes, note, ...rest)
    const { id } = await test.create()
    expect((await test.request('DELETE', `/api/jobs/${id}`)).status).toBe(204)
    test.engine.notes.put = () => {
      throw new Error('the disk is on fire')
    }
    expect((await test.request('GET', '/metrics')).status).toBe(403)
    expect(test.errors).toEqual([new Error('the disk is on fire')])
  })
})
