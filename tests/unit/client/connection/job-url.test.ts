import { describe, expect, test } from 'bun:test'
import { documentUrl, locateJob, parseJobAddress } from '../../../../client/connection/job-url.ts'

describe('job-url.ts', () => {
  // As an administrator of all tenants sees it.
  const id = 'acme::import-7'
  const url = 'https://host.example/mp/api/jobs/acme%3A%3Aimport-7'

  test('the id of an escaped URL is that of the job', () => {
    expect(locateJob(`${url}/progress?token=t`, null)).toEqual({ base: 'https://host.example/mp', id, token: 't' })
    expect(parseJobAddress({ url }).location).toEqual({ base: 'https://host.example/mp', id, token: null })
    expect(parseJobAddress({ jobId: id, baseUrl: 'https://host.example/mp/' }).location.id).toBe(id)
    expect(documentUrl(locateJob(url, null), 'all')).toBe(`${url}?parts=all`)
  })
})
