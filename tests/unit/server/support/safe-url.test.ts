import { expect, test } from 'bun:test'
import { isSafeUrl } from '../../../../server/support/safe-url.ts'

test('isSafeUrl accepts HTTPS, and plain HTTP on this machine only', () => {
  const safe = [
    'https://id.example/jwks',
    'HTTPS://id.example',
    'http://localhost:1',
    'http://127.0.0.1/',
    'http://[::1]',
  ]
  const unsafe = [
    'http://id.example',
    'http://localhost.id.example',
    'http://127.0.0.1.id.example',
    'ftp://localhost',
    '',
  ]
  expect(safe.filter(isSafeUrl)).toEqual(safe)
  expect(unsafe.filter(isSafeUrl)).toEqual([])
})
