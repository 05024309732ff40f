/** A row that is taller than the others. */
interface OpenRow {
  index: number
  /** Pixels beyond the height of the others. */
  extra: number
}

/** What decides which rows are visible. */
export interface WindowInput {
  count: number
  /** Pixels of a row. */
  rowHeight: number
  scrollTop: number
  viewportHeight: number
  /** Rows rendered beyond either edge, so that fast scrolling shows no gap. */
  overscan: number
  open?: OpenRow | undefined
}

/** The rows of a long list that are drawn: from `start` to before `end`. */
interface VirtualWindow {
  start: number
  end: number
  /** Pixels of the whole list. */
  height: number
}

/** The visible rows of a long list. Constant time. */
export function getWindow(input: WindowInput): VirtualWindow {
  const { count, rowHeight, scrollTop, viewportHeight, overscan, open } = input
  const extra = open && open.index < count ? open.extra : 0
  return {
    start: Math.max(0, Math.min(count, rowAt(scrollTop, input)) - overscan),
    end: Math.min(count, rowAt(scrollTop + viewportHeight, input) + 1 + overscan),
    height: count * rowHeight + extra,
  }
}

/** Pixels above a row. */
export function getOffset(index: number, { rowHeight, open }: Pick<WindowInput, 'rowHeight' | 'open'>): number {
  return index * rowHeight + (open && index > open.index ? open.extra : 0)
}

/** The row at a height, not clamped to the list. */
function rowAt(y: number, { rowHeight, open }: WindowInput): number {
  if (!open || y < (open.index + 1) * rowHeight) return Math.max(0, Math.floor(y / rowHeight))
  return Math.max(open.index, Math.floor((y - open.extra) / rowHeight))
}

/** The scroll position that makes a row visible: the present one, if it is. */
export function scrollToShow(index: number, input: Omit<WindowInput, 'overscan' | 'count'>): number {
  const { rowHeight, scrollTop, viewportHeight, open } = input
  const top = getOffset(index, input)
  const bottom = top + rowHeight + (open?.index === index ? open.extra : 0)
  if (top < scrollTop) return top
  return bottom > scrollTop + viewportHeight ? Math.min(top, bottom - viewportHeight) : scrollTop
}
