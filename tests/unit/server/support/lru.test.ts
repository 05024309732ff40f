import { describe, expect, test } from 'bun:test'
import { LruCache } from '../../../../server/support/lru.ts'

describe('LruCache', () => {
  test('get returns the value that was set, until it is deleted', () => {
    const recent = new LruCache<string, number>(10)
    recent.set('a', 1, 4)
    expect(recent.get('a')).toBe(1)
    expect(recent.get('b')).toBeUndefined()
    recent.delete('a')
    recent.delete('a')
    expect(recent.get('a')).toBeUndefined()
  })

  test('set evicts the least recently used value when the limit is exceeded', () => {
    const recent = new LruCache<string, number>(10)
    recent.set('a', 1, 4)
    recent.set('b', 2, 4)
    recent.set('c', 3, 2)
    recent.get('a')
    recent.set('d', 4, 1)
    expect(['a', 'b', 'c', 'd'].map((key) => recent.get(key))).toEqual([1, undefined, 3, 4])
  })

  test('set counts a replaced value once', () => {
    const recent = new LruCache<string, number>(10)
    recent.set('a', 1, 6)
    recent.set('b', 2, 4)
    recent.set('a', 3, 6)
    expect([recent.get('a'), recent.get('b')]).toEqual([3, 2])
  })

  test('set does not cache a value larger than the limit, and evicts nothing for it', () => {
    const recent = new LruCache<string, number>(10)
    recent.set('a', 1, 4)
    recent.set('b', 2, 11)
    expect([recent.get('a'), recent.get('b')]).toEqual([1, undefined])
    recent.set('c', 3, 10)
    expect(recent.get('c')).toBe(3)
    recent.set('c', 4, 11)
    expect(recent.get('c')).toBeUndefined()
  })

  test('set evicts soon, even if all values are marked', () => {
    const recent = new LruCache<number, number>(1_000)
    for (let key = 0; key < 1_000; key++) recent.set(key, key, 1)
    for (let key = 0; key < 1_000; key++) recent.get(key)
    recent.set(1_000, 1_000, 1)
    // The first few had a second chance, and the next of them none.
    const gone = Array.from({ length: 1_001 }, (_, key) => key).filter((key) => recent.get(key) === undefined)
    expect(gone).toEqual([32])
  })
})
