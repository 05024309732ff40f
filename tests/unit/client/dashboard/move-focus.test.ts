import { describe, expect, test } from 'bun:test'
import { moveFocus } from '../../../../client/dashboard/parts/move-focus.ts'

const tabs = { kind: 'tabs', rightToLeft: false } as const
const rows = { kind: 'rows', page: 10 } as const

describe('moveFocus', () => {
  test('moveFocus goes round the tabs', () => {
    expect(moveFocus('ArrowRight', 1, 5, tabs)).toBe(2)
    expect(moveFocus('ArrowRight', 4, 5, tabs)).toBe(0)
    expect(moveFocus('ArrowLeft', 0, 5, tabs)).toBe(4)
    expect(moveFocus('Home', 3, 5, tabs)).toBe(0)
    expect(moveFocus('End', 3, 5, tabs)).toBe(4)
  })

  test('moveFocus follows the direction of writing', () => {
    const rightToLeft = { kind: 'tabs', rightToLeft: true } as const
    expect(moveFocus('ArrowLeft', 1, 5, rightToLeft)).toBe(2)
    expect(moveFocus('ArrowRight', 1, 5, rightToLeft)).toBe(0)
  })

  test('moveFocus stops at the ends of a list', () => {
    expect(moveFocus('ArrowDown', 3, 5, rows)).toBe(4)
    expect(moveFocus('ArrowDown', 4, 5, rows)).toBe(4)
    expect(moveFocus('ArrowUp', 0, 5, rows)).toBe(0)
    expect(moveFocus('PageDown', 3, 100, rows)).toBe(13)
    expect(moveFocus('PageUp', 3, 100, rows)).toBe(0)
    expect(moveFocus('End', 3, 100_000, rows)).toBe(99_999)
  })

  test('moveFocus leaves other keys alone', () => {
    for (const key of ['ArrowDown', 'Enter', 'a', 'constructor']) expect(moveFocus(key, 1, 5, tabs)).toBeUndefined()
    for (const key of ['ArrowRight', ' ', 'constructor']) expect(moveFocus(key, 1, 5, rows)).toBeUndefined()
    expect(moveFocus('Home', 0, 0, rows)).toBeUndefined()
  })
})
