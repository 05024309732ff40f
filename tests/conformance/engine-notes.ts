import { describe, expect, test } from 'bun:test'
import type { Notes } from '../../server/engine.ts'
import { type Subject, unique } from './fixtures.ts'

/** What processes that share a store leave each other in it. */
export function describeNotes(subject: Subject, isOffered: boolean): void {
  if (!isOffered) {
    test('notes are not there, for one process has the store to itself', () => {
      expect(subject.engine.notes).toBeUndefined()
    })
    return
  }
  const notes = (): Notes => {
    if (!subject.engine.notes) throw new Error('The engine has no notes')
    return subject.engine.notes
  }
  const soon = () => Date.now() + 600_000

  describe('notes', () => {
    test('notes are taken once, by the first who asks', async () => {
      const key = unique('note')
      await notes().put(key, '{"sub":"ä\u0000"}', soon())
      expect(await notes().take(unique('note'))).toBeUndefined()
      expect(await notes().take(key)).toBe('{"sub":"ä\u0000"}')
      expect(await notes().take(key)).toBeUndefined()
    })

    test('notes go to one alone of many who ask at once', async () => {
      const key = unique('note')
      await notes().put(key, 'text', soon())
      const taken = await Promise.all(Array.from({ length: 10 }, () => notes().take(key)))
      expect(taken.filter((text) => text !== undefined)).toEqual(['text'])
    })
  })
}
