import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { documentIdOf, nextLife, type Origin } from '../../../../client/queues/lives.ts'
import { isJobId } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'

const origin: Origin = { name: 'exports', source: 'redis-1', job: '17', added: 1_000 }
const of = (queue: Partial<Origin>, fields = {}) =>
  newHeader({ metadata: { queue: { ...origin, ...queue } }, ...fields })

describe('documentIdOf', () => {
  test('documentIdOf keeps usual names', () => {
    expect(documentIdOf('exports', '17')).toBe('exports.17')
    expect(documentIdOf('exports', 'repeat:a b:1')).toBe('exports.repeat~3aa~20b~3a1')
    expect(documentIdOf('exports.eu', '5')).toBe('exports~2eeu.5')
    expect(documentIdOf('exports', 'eu.5')).toBe('exports.eu~2e5')
    expect(documentIdOf('exports', 'Ϊ')).not.toBe(documentIdOf('exports', ':a'))
  })

  test('documentIdOf is an id with room for a suffix, another for another job', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }),
        fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }),
        (one, other) => {
          const ids = [documentIdOf('exports', one), documentIdOf('exports', other)]
          for (const id of ids) expect(isJobId(`${id}.${Number.MAX_SAFE_INTEGER.toString(36)}`)).toBe(true)
          expect(ids[0] === ids[1]).toBe(one === other)
        },
      ),
    )
  })
})

describe('nextLife', () => {
  test('nextLife stays with the document of the same life, live or ended as the job is', () => {
    expect(nextLife(of({}), origin)).toBeUndefined()
    expect(nextLife(of({ ended: 2_000 }, { status: 'failed' }), { ...origin, ended: 2_000 })).toBeUndefined()
  })

  test('nextLife has another document for a job with an id that was used before, and for one that was started again', () => {
    const id = newHeader().id
    expect(nextLife(of({}), { ...origin, added: 5_000 })).toEqual({ suffix: '3uw', retryOf: id, tries: 0 })
    const ended = of({ ended: 2_000, tries: 1 }, { status: 'failed', attempt: 3 })
    expect(nextLife(ended, origin)).toEqual({ suffix: '1jk', retryOf: id, tries: 4 })
  })

  test('nextLife has none for a job whose document the server has ended, or the app has made', () => {
    expect(nextLife(of({}, { status: 'cancelled' }), origin)).toBeUndefined()
    expect(nextLife(newHeader({ metadata: { year: 2026 } }), origin)).toBeUndefined()
  })

  test('nextLife takes no document of another store for that of a job', () => {
    expect(nextLife(of({ source: 'redis-2' }), origin)?.suffix).toBe('rs')
  })
})
