import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { ItemStatus, Job } from '../../../../shared/document/job.ts'
import { format } from '../../page.ts'
import { moveFocus } from '../../parts/move-focus.ts'
import { useHeldOrder } from '../../parts/use-held-order.ts'
import { useHolding } from '../../parts/use-holding.ts'
import { getOffset, getWindow, scrollToShow } from '../../parts/virtual-window.ts'
import { text } from '../../text.ts'
import { ItemRow } from './item-row.tsx'

/** Pixels of a row: of one line, or of two where a reason stands under the name. */
const ROW = { one: 44, two: 60 }
const OVERSCAN = 12

/** A virtual list of items: only visible rows are rendered. One tab stop; arrows move between rows. */
export function ItemList({ job, status }: { job: Job; status: ItemStatus }) {
  const area = useRef<HTMLDivElement>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const [scrollTop, setScrollTop] = useState(0)
  const [viewportHeight, setViewportHeight] = useState(0)
  const [active, setActive] = useState(0)
  const [opened, setOpened] = useState<{ place: number; extra: number }>()
  const moved = useRef(false)

  const isHolding = useHolding(area)
  const isHeld = isHolding || scrollTop > 0
  const present = job.itemCounts[status]
  const rowHeight = status === 'failed' ? ROW.two : ROW.one
  // A list that is not held is at its top: only the rows that are drawn are searched for. A held list needs all of them.
  const most = isHeld ? job.items.length : Math.min(present, Math.ceil(viewportHeight / rowHeight) + 1 + OVERSCAN)
  const held = useHeldOrder(
    status,
    present,
    isHeld,
    () => placesOf(job, status, most),
    (place) => job.items[place]?.status === status,
  )
  const { keys } = held
  const openIndex = opened ? keys.indexOf(opened.place) : -1
  const open = opened && openIndex >= 0 ? { index: openIndex, extra: opened.extra } : undefined
  const count = isHeld ? keys.length : present
  const layout = { count, rowHeight, scrollTop, viewportHeight, overscan: OVERSCAN, open }
  const { start, end, height } = getWindow(layout)
  const current = Math.min(active, keys.length - 1)

  useLayoutEffect(() => {
    const box = scroller.current
    if (!box) return
    setViewportHeight(box.clientHeight)
    const observer = new ResizeObserver(() => setViewportHeight(box.clientHeight))
    observer.observe(box)
    return () => observer.disconnect()
  }, [])
  useLayoutEffect(() => {
    if (!moved.current) return
    moved.current = false
    scroller.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true })
  })

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(viewportHeight / rowHeight) - 1)
    const next = moveFocus(event.key, current, count, { kind: 'rows', page })
    if (next === undefined || !scroller.current) return
    event.preventDefault()
    scroller.current.scrollTop = scrollToShow(next, layout)
    moved.current = true
    setActive(next)
    setScrollTop(scroller.current.scrollTop)
  }

  // The focused row stays rendered when it is scrolled out of sight, to keep the focus.
  const drawn = [
    ...(current < start && current >= 0 ? [current] : []),
    ...range(start, end),
    ...(current >= end ? [current] : []),
  ]
  return (
    <div class="item-area" ref={area}>
      <div
        class="item-scroll"
        ref={scroller}
        onScroll={(event) => setScrollTop(Math.max(0, event.currentTarget.scrollTop))}
      >
        {count === 0 ? (
          <p class="blank">{text.job.noItems[status]}</p>
        ) : (
          <ul aria-label={text.job.itemsOf(format.language.rows[status])} style={{ height: `${height}px` }}>
            {drawn.map((index) => {
              const place = keys[index]
              const item = place === undefined ? undefined : job.items[place]
              if (!item) return null
              const isOpen = item.index === opened?.place
              return (
                <ItemRow
                  key={item.index}
                  item={item}
                  position={index + 1}
                  count={count}
                  top={getOffset(index, layout)}
                  height={rowHeight}
                  isActive={index === current}
                  isOpen={isOpen}
                  onKeyDown={onKeyDown}
                  onFocus={() => setActive(index)}
                  onToggle={() => setOpened(isOpen ? undefined : { place: item.index, extra: 0 })}
                  onMeasure={(extra) => setOpened({ place: item.index, extra })}
                />
              )
            })}
          </ul>
        )}
      </div>
      {held.changes > 0 && (
        <button type="button" class="pill" onClick={held.refresh}>
          {text.job.changes(format.number(held.changes))}
        </button>
      )}
    </div>
  )
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i)
}

/** Where the first items are that stand in a status: their places in the job. */
function placesOf({ items }: Job, status: ItemStatus, most: number): number[] {
  const places: number[] = []
  for (const item of items) {
    if (places.length === most) break
    if (item.status === status) places.push(item.index)
  }
  return places
}
