import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { digestOf, textDigest } from '../../../../server/support/digest.ts'

describe('textDigest', () => {
  test.each(['', 'abc', 'é'.repeat(1_000)])('textDigest of %p is its SHA-256 in hexadecimal', async (text) => {
    expect(await textDigest(text)).toBe(createHash('sha256').update(text).digest('hex'))
  })

  test('digestOf is the beginning of that of the JSON', async () => {
    expect(await digestOf(['a'])).toBe((await textDigest('["a"]')).slice(0, 32))
  })
})
