import { describe, expect, test } from 'bun:test'
import { readText } from '../../../../../server/services/kit/utf8.ts'
import { streamOf } from '../recorder.ts'

const read = async (bytes: Uint8Array, chunk?: number) =>
  (await Array.fromAsync(readText(streamOf(bytes, chunk)))).join('')

describe('readText', () => {
  test('readText decodes characters that are cut anywhere, and leaves out a byte order mark', async () => {
    const bytes = new TextEncoder().encode('\ufeffaü日🙂')
    for (let chunk = 1; chunk <= bytes.byteLength; chunk++) expect(await read(bytes, chunk)).toBe('aü日🙂')
  })

  test('readText hands out large chunks in small pieces, and tells of their bytes', async () => {
    const told: number[] = []
    const pieces = await Array.fromAsync(readText(streamOf(new Uint8Array(40_000).fill(97)), (n) => told.push(n)))
    expect(told).toEqual([16_384, 16_384, 7_232])
    expect(pieces.map(({ length }) => length)).toEqual([16_384, 16_384, 7_232, 0])
  })

  test('readText throws for what is not UTF-8, cut short, or holds a NUL, and lets go of its source', async () => {
    await expect(read(Uint8Array.of(97, 0xff, 98))).rejects.toThrow('It is not text in UTF-8')
    await expect(read(Uint8Array.of(97, 0xc3))).rejects.toThrow('It is not text in UTF-8')
    let cancelled = false
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(Uint8Array.of(97, 0)),
      cancel: () => {
        cancelled = true
      },
    })
    await expect(Array.fromAsync(readText(source))).rejects.toThrow('It is not text: it holds a NUL')
    expect(cancelled).toBe(true)
  })
})
