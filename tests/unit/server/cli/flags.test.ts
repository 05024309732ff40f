import { describe, expect, test } from 'bun:test'
import { serverUrl } from '../../../../server/cli/flags.ts'

describe('serverUrl', () => {
  test.each([
    ['https://host', 'https://host/api/jobs'],
    ['https://host/', 'https://host/api/jobs'],
    ['https://host/base', 'https://host/base/api/jobs'],
    ['https://host/base/', 'https://host/base/api/jobs'],
    ['https://host/base?old=1', 'https://host/base/api/jobs'],
  ])('serverUrl of %s keeps its path', (text, jobs) => {
    expect(new URL('api/jobs', serverUrl(text, '')).href).toBe(jobs)
  })
})
