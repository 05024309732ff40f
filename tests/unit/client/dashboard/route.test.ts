import { describe, expect, test } from 'bun:test'
import { ALL_JOBS, parseRoute, toHref } from '../../../../client/dashboard/route.ts'

const base = new URL('https://example.org/progress/')
const at = (path: string) => parseRoute(new URL(path, base), base)

describe('parseRoute', () => {
  test('parseRoute knows the pages, wherever the app is mounted', () => {
    expect(at('./')).toEqual({ page: 'jobs', filter: 'all', search: '', owner: '' })
    expect(at('./?owner=acme%3A%3Aada')).toEqual({ ...ALL_JOBS, owner: 'acme::ada' })
    expect(at('./?show=failed&search=nas%202')).toEqual({ page: 'jobs', filter: 'failed', search: 'nas 2', owner: '' })
    expect(at('jobs/p7f2')).toEqual({ page: 'job', id: 'p7f2' })
    expect(at('docs/api')).toEqual({ page: 'docs' })
    expect(at('operator')).toEqual({ page: 'operator' })
  })

  test('parseRoute takes an unknown filter for none', () => {
    expect(at('./?show=constructor')).toEqual({ page: 'jobs', filter: 'all', search: '', owner: '' })
  })

  test('parseRoute leaves everything else to the server', () => {
    for (const path of [
      'jobs',
      'jobs/',
      'jobs/a/b',
      'docs',
      'docs/wire',
      'openapi.json',
      '/',
      '/progressive/docs',
      'https://else.where/',
    ]) {
      expect([path, at(path).page]).toEqual([path, 'missing'])
    }
  })

  test('parseRoute keeps an id that can not be decoded as it is', () => {
    expect(at('jobs/%E0%A4%A')).toEqual({ page: 'job', id: '%E0%A4%A' })
  })

  test('toHref and parseRoute are each the way back from the other', () => {
    for (const route of [
      { page: 'jobs', filter: 'all', search: '', owner: '' },
      { page: 'jobs', filter: 'running', search: 'a & b?', owner: 'ada & co' },
      { page: 'job', id: 'a~b.c-d_e' },
      { page: 'docs' },
    ] as const) {
      expect(at(toHref(route))).toEqual(route)
    }
  })
})
