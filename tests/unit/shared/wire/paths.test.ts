import { describe, expect, test } from 'bun:test'
import { eventsPath, jobPagePath, jobPath, withoutSlash } from '../../../../shared/wire/paths.ts'

describe('jobPath', () => {
  test('jobPath, eventsPath and jobPagePath keep an id within its part of the path', () => {
    expect([jobPath('import-7~a'), eventsPath('import-7~a'), eventsPath('a', 'k3x9'), jobPagePath('a')]).toEqual([
      'api/jobs/import-7~a',
      'api/jobs/import-7~a/events',
      'api/jobs/a/events?epoch=k3x9',
      'jobs/a',
    ])
    expect([jobPath('../a?b'), jobPagePath('../a?b')]).toEqual(['api/jobs/..%2Fa%3Fb', 'jobs/..%2Fa%3Fb'])
  })
})

describe('withoutSlash', () => {
  test('withoutSlash removes a slash at the end, if there is one', () => {
    expect(['https://a.example/', 'https://a.example/b', ''].map(withoutSlash)).toEqual([
      'https://a.example',
      'https://a.example/b',
      '',
    ])
  })
})
