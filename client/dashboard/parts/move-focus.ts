/**
 * Where a key takes the reader among `count` things in a row, by the ARIA practices; `undefined` when the key means nothing here.
 * Tabs lie side by side and go round; the rows of a list stand one below the other, and end.
 *
 * @param page rows that are in sight at once: how far Page Up and Page Down go
 */
export function moveFocus(
  key: string,
  index: number,
  count: number,
  layout: { kind: 'tabs'; rightToLeft: boolean } | { kind: 'rows'; page: number },
): number | undefined {
  if (count === 0) return undefined
  if (key === 'Home') return 0
  if (key === 'End') return count - 1
  if (layout.kind === 'tabs') {
    const forward = layout.rightToLeft ? 'ArrowLeft' : 'ArrowRight'
    const back = layout.rightToLeft ? 'ArrowRight' : 'ArrowLeft'
    if (key === forward) return (index + 1) % count
    return key === back ? (index + count - 1) % count : undefined
  }
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: layout.page, PageUp: -layout.page }
  const step = Object.hasOwn(steps, key) ? steps[key] : undefined
  return step === undefined ? undefined : Math.max(0, Math.min(count - 1, index + step))
}
