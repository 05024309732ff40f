/**
 * The index that a key moves the focus to, by the ARIA practices; `undefined` for other keys. Tabs are horizontal and wrap around; rows of a
 * list are vertical and do not.
 *
 * @param page visible rows: the distance of Page Up and Page Down
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
