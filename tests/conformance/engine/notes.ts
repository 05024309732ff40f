import { describe, expect, test } from 'bun:test'
import type { Notes } from '../../../server/jobs/engine.ts'
import { type Subject, unique } from '../fixtures.ts'

/**
 * Short texts beside the jobs.
 *
 * @param knowsAll the engine finds notes that differ in more than the last word of their keys
 */
export function describeNotes(subject: Subject, knowsAll: boolean): void {
  const soon = () => Date.now() + 600_000
  const put = (key: string, text: string, until = soon(), now = Date.now()) =>
    subject.engine.notes.put({ key, text }, until, now)
  const keysOf = async (query: Parameters<Notes['list']>[0]) =>
    (await subject.engine.notes.list(query)).map(({ key }) => key)

  describe('notes', () => {
    test('notes are read as often as one likes, and replaced', async () => {
      const { notes } = subject.engine
      const key = `test/${unique('note')}`
      expect(await notes.get(key)).toBeUndefined()
      await put(key, '{"sub":"ä\u0000"}')
      expect([await notes.get(key), await notes.get(key)]).toEqual(['{"sub":"ä\u0000"}', '{"sub":"ä\u0000"}'])
      await put(key, 'other')
      expect(await notes.get(key)).toBe('other')
    })

    test('notes are taken once', async () => {
      const { notes } = subject.engine
      const key = `test/${unique('note')}`
      await put(key, 'text')
      expect(await notes.take(`test/${unique('note')}`)).toBeUndefined()
      expect(await notes.take(key)).toBe('text')
      expect([await notes.take(key), await notes.get(key)]).toEqual([undefined, undefined])
      await put(key, 'again')
      expect(await notes.get(key)).toBe('again')
    })

    test('notes go to one alone of many who take one at once', async () => {
      const key = `test/${unique('note')}`
      await put(key, 'text')
      const taken = await Promise.all(Array.from({ length: 10 }, () => subject.engine.notes.take(key)))
      expect(taken.filter((text) => text !== undefined)).toEqual(['text'])
    })

    test('notes are listed by what their keys begin with, page by page in the order of their keys', async () => {
      const { notes } = subject.engine
      const place = unique('place')
      for (const name of ['b', 'c', 'a', 'd']) await put(`test/${place}/${name}`, `text ${name}`)
      await put(`test/${place}0/a`, 'another place')
      await notes.take(`test/${place}/c`)
      const prefix = `test/${place}/`
      expect(await notes.list({ prefix, limit: 2 })).toEqual([
        { key: `${prefix}a`, text: 'text a' },
        { key: `${prefix}b`, text: 'text b' },
      ])
      expect(await keysOf({ prefix, after: `${prefix}b`, limit: 2 })).toEqual([`${prefix}d`])
      expect(await keysOf({ prefix, after: `${prefix}d`, limit: 2 })).toEqual([])
      expect(await keysOf({ prefix: `test/${unique('place')}/`, limit: 2 })).toEqual([])
    })

    if (knowsAll) {
      test('notes are listed by any of the words that their keys begin with', async () => {
        const place = unique('everywhere')
        for (const name of ['b/1', 'a/2', 'a/1']) await put(`${place}/${name}`, 'text')
        expect(await keysOf({ prefix: `${place}/`, limit: 10 })).toEqual([
          `${place}/a/1`,
          `${place}/a/2`,
          `${place}/b/1`,
        ])
      })
    }
  })
}
