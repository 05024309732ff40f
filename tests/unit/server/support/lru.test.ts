import { describe, expect, test } from 'bun:test'
import { Recent } from '../../../../server/support/lru.ts'

describe('Recent', () => {
  test('get answers what was set, until it is deleted', () => {
    const recent = new Recent<string, number>(10)
    recent.set('a', 1, 4)
    expect(recent.get('a')).toBe(1)
    expect(recent.get('b')).toBeUndefined()
    recent.delete('a')
    recent.delete('a')
    expect(recent.get('a')).toBeUndefined()
  })

  test('set drops what was used longest ago, once the sizes are over the limit', () => {
    const recent = new Recent<string, number>(10)
    recent.set('a', 1, 4)
    recent.set('b', 2, 4)
    recent.set('c', 3, 2)
    recent.get('a')
    recent.set('d', 4, 1)
    expect(['a', 'b', 'c', 'd'].map((key) => recent.get(key))).toEqual([1, undefined, 3, 4])
  })

  test('set counts a value that replaces another once', () => {
    const recent = new Recent<string, number>(10)
    recent.set('a', 1, 6)
    recent.set('b', 2, 4)
    recent.set('a', 3, 6)
    expect([recent.get('a'), recent.get('b')]).toEqual([3, 2])
  })

  test('set does not keep what is larger than the limit by itself', () => {
    const recent = new Recent<string, number>(10)
    recent.set('a', 1, 4)
    recent.set('b', 2, 11)
    expect([recent.get('a'), recent.get('b')]).toEqual([undefined, undefined])
    recent.set('c', 3, 10)
    expect(recent.get('c')).toBe(3)
  })
})
