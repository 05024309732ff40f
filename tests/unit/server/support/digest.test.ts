import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { digestOf, fastestDigest, textDigest } from '../../../../server/support/digest.ts'

describe('textDigest', () => {
  test.each(['', 'abc', 'é'.repeat(1_000)])('textDigest of %p is its SHA-256 in hexadecimal', async (text) => {
    expect(await textDigest(text)).toBe(createHash('sha256').update(text).digest('hex'))
  })

  test('digestOf is the beginning of that of the JSON', async () => {
    expect(await digestOf(['a'])).toBe((await textDigest('["a"]')).slice(0, 32))
  })

  test("fastestDigest gives what digestOf does, at once where the runtime's SHA-256 does", async () => {
    const fastest = fastestDigest((text) => createHash('sha256').update(text).digest('hex'))
    for (const body of [['a'], { é: '\ud800' }, [{ type: 'log', message: '漢'.repeat(999) }]])
      expect(fastest(body)).toBe(await digestOf(body))
    expect(fastestDigest(undefined)).toBe(digestOf)
  })
})
