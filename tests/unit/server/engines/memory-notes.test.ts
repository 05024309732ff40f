import { describe, expect, test } from 'bun:test'
import { MemoryNotes } from '../../../../server/engines/memory-notes.ts'

describe('MemoryNotes', () => {
  test('put has those that ran out make room when there are ten thousand, and otherwise the oldest', async () => {
    const notes = new MemoryNotes()
    const put = (key: string, until: number, now: number) => notes.put({ key, text: key }, until, now)
    await put('n/first', 200, 0)
    await put('n/short', 100, 0)
    for (let index = 2; index < 10_000; index++) await put(`n/${index}`, 200, 0)
    await put('n/more', 200, 100)
    expect([await notes.get('n/first'), await notes.get('n/short')]).toEqual(['n/first', undefined])
    await put('n/most', 200, 100)
    expect([await notes.get('n/first'), await notes.get('n/2')]).toEqual([undefined, 'n/2'])
    expect(await notes.get('n/most')).toBe('n/most')
  })
})
