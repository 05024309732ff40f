import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { getWindow } from '../parts/virtual-window.ts'

/** Pixels of a row: `--row` in `list.css`. */
const ROW = { wide: 76, narrow: 128 }
const narrow = matchMedia('(max-width: 960px)')
const OVERSCAN = 8

/** The rows that are drawn: from `start` to before `end`. */
interface VisibleRows {
  start: number
  end: number
  rowHeight: number
}

/**
 * Which rows of a long list are in the part of the page that is seen.
 *
 * @param list the element with the rows
 * @param count how many rows there are
 */
export function useVisibleRows(list: RefObject<HTMLElement | null>, count: number): VisibleRows {
  const [, redraw] = useState({})
  const measure = () => {
    const rowHeight = narrow.matches ? ROW.narrow : ROW.wide
    const top = list.current?.getBoundingClientRect().top ?? 0
    const scrollTop = Math.max(0, -top)
    const viewportHeight = innerHeight - Math.max(0, top)
    return { ...getWindow({ count, rowHeight, scrollTop, viewportHeight, overscan: OVERSCAN }), rowHeight }
  }
  const shown = measure()
  useEffect(() => {
    const onMove = () => {
      const { start, end, rowHeight } = measure()
      if (start !== shown.start || end !== shown.end || rowHeight !== shown.rowHeight) redraw({})
    }
    // What stands above the list may have changed its height.
    onMove()
    addEventListener('scroll', onMove, { passive: true })
    addEventListener('resize', onMove)
    return () => {
      removeEventListener('scroll', onMove)
      removeEventListener('resize', onMove)
    }
  })
  return shown
}
