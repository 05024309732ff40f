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

  test('put makes room among notes of the same first word only', async () => {
    const notes = new MemoryNotes()
    await notes.put({ key: 'session/a/b', text: 'kept' }, 200, 0)
    for (let index = 0; index < 10_001; index++) await notes.put({ key: `audit/${index}`, text: '' }, 200, 0)
    expect(await notes.get('session/a/b')).toBe('kept')
    expect([await notes.get('audit/0'), await notes.get('audit/1')]).toEqual([undefined, ''])
  })
})
