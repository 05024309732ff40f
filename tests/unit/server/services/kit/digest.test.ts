import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { DIGEST_BLOCK, digestOfStream } from '../../../../../server/services/kit/digest.ts'
import { streamOf } from '../recorder.ts'

const sha256 = (bytes: Uint8Array | string) => new Bun.CryptoHasher('sha256').update(bytes).digest()

describe('digestOfStream', () => {
  test('digestOfStream is the SHA-256 of a content of up to a block', async () => {
    expect(await digestOfStream(streamOf(new TextEncoder().encode('abc')))).toBe(
      'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    const block = new Uint8Array(DIGEST_BLOCK).fill(7)
    expect(await digestOfStream(streamOf(block, 100_000))).toBe(`sha256:${sha256(block).toString('hex')}`)
  })

  test('digestOfStream of a larger content is the SHA-256 of its blocks’, which never passes for the content with those bytes', async () => {
    const content = new Uint8Array(DIGEST_BLOCK + 3).fill(7)
    const blocks = Buffer.concat([sha256(content.subarray(0, DIGEST_BLOCK)), sha256(content.subarray(DIGEST_BLOCK))])
    const hex = sha256(blocks).toString('hex')
    expect(await digestOfStream(streamOf(content, 65_536))).toBe(`sha256-blocks:${hex}`)
    expect(await digestOfStream(streamOf(blocks))).toBe(`sha256:${hex}`)
  })

  test('digestOfStream does not depend on how the content is cut', async () => {
    const content = Uint8Array.from({ length: 2 * DIGEST_BLOCK + 1 }, (_, at) => at % 251)
    const whole = await digestOfStream(streamOf(content))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 10_000, max: 3 * DIGEST_BLOCK }), async (chunk) => {
        expect(await digestOfStream(streamOf(content, chunk))).toBe(whole)
      }),
      { numRuns: 20 },
    )
  })
})
