import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  getOffset,
  getWindow,
  scrollToShow,
  type WindowInput,
} from '../../../../client/dashboard/parts/virtual-window.ts'

const list: WindowInput = { count: 100_000, rowHeight: 44, scrollTop: 0, viewportHeight: 440, overscan: 2 }

describe('getWindow', () => {
  test('getWindow draws what is in sight and a few more', () => {
    expect(getWindow(list)).toEqual({ start: 0, end: 13, height: 4_400_000 })
    expect(getWindow({ ...list, scrollTop: 44_000 })).toEqual({ start: 998, end: 1_013, height: 4_400_000 })
  })

  test('getWindow ends where the list ends', () => {
    expect(getWindow({ ...list, scrollTop: 4_399_560 })).toEqual({ start: 99_988, end: 100_000, height: 4_400_000 })
    expect(getWindow({ ...list, count: 0 })).toEqual({ start: 0, end: 0, height: 0 })
    // A list that became shorter than it is scrolled.
    expect(getWindow({ ...list, count: 3, scrollTop: 9_000 })).toEqual({ start: 1, end: 3, height: 132 })
  })

  test('getWindow makes room for a row that is open', () => {
    const open = { index: 1, extra: 100 }
    expect(getWindow({ ...list, open, overscan: 0 })).toEqual({ start: 0, end: 8, height: 4_400_100 })
    expect([0, 1, 2, 3].map((index) => getOffset(index, { ...list, open }))).toEqual([0, 44, 188, 232])
    // Within the open row, it is the first in sight.
    expect(getWindow({ ...list, open, overscan: 0, scrollTop: 180 }).start).toBe(1)
    expect(getWindow({ ...list, open, overscan: 0, scrollTop: 188 }).start).toBe(2)
  })

  test('getWindow draws every row that reaches into the viewport', () => {
    fc.assert(
      fc.property(
        fc.nat(500),
        fc.nat(30_000),
        fc.integer({ min: 1, max: 900 }),
        fc.option(fc.record({ index: fc.nat(600), extra: fc.nat(400) }), { nil: undefined }),
        (count, scrollTop, viewportHeight, open) => {
          const input = { ...list, count, scrollTop, viewportHeight, open, overscan: 0 }
          const { start, end } = getWindow(input)
          for (let index = 0; index < count; index++) {
            const top = getOffset(index, input)
            const bottom = getOffset(index + 1, input)
            const isInSight = bottom > scrollTop && top < scrollTop + viewportHeight
            if (isInSight) expect(index >= start && index < end).toBe(true)
          }
        },
      ),
    )
  })
})

describe('scrollToShow', () => {
  test('scrollToShow moves no further than it must', () => {
    const at = { ...list, scrollTop: 440 }
    expect(scrollToShow(15, at)).toBe(440)
    expect(scrollToShow(9, at)).toBe(396)
    expect(scrollToShow(20, at)).toBe(484)
    expect(scrollToShow(0, at)).toBe(0)
  })

  test('scrollToShow shows the top of an open row that is taller than the viewport', () => {
    expect(scrollToShow(30, { ...list, open: { index: 30, extra: 900 } })).toBe(1_320)
  })
})
