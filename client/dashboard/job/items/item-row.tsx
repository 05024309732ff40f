import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Item } from '../../../../shared/document/job.ts'
import { format } from '../../page.ts'
import { text } from '../../text.ts'
import { ItemSummary } from './item-summary.tsx'

interface ItemRowProps {
  item: Item
  /** Its place in the list, from 1, and how many there are: most of them are not drawn. */
  position: number
  count: number
  /** Pixels. */
  top: number
  height: number
  isActive: boolean
  isOpen: boolean
  onKeyDown(event: KeyboardEvent): void
  onFocus(): void
  onToggle(): void
  /** Called with the extra pixels of the open row. */
  onMeasure(extra: number): void
}

/** An item: a row that expands to all of its fields. */
export function ItemRow(props: ItemRowProps) {
  const { item, height, isOpen, onMeasure } = props
  const details = useRef<HTMLDListElement>(null)
  useLayoutEffect(() => {
    const { current } = details
    if (!isOpen || !current) return
    const observer = new ResizeObserver(() => onMeasure(current.offsetHeight))
    observer.observe(current)
    return () => observer.disconnect()
  }, [isOpen])
  return (
    <li
      class={`item ${item.status}`}
      aria-setsize={props.count}
      aria-posinset={props.position}
      style={{ transform: `translateY(${props.top}px)` }}
    >
      <button
        type="button"
        style={{ height: `${height}px` }}
        tabIndex={props.isActive ? 0 : -1}
        aria-expanded={isOpen}
        onKeyDown={props.onKeyDown}
        onFocus={props.onFocus}
        onClick={props.onToggle}
      >
        <ItemSummary item={item} />
      </button>
      {isOpen && (
        <dl ref={details}>
          <ItemFact name={text.job.itemId} value={item.id} />
          {item.label !== undefined && <ItemFact name={text.job.itemLabel} value={item.label} />}
          {item.error !== undefined && <ItemFact name={text.job.itemError} value={item.error} />}
          {item.message !== undefined && <ItemFact name={text.job.itemMessage} value={item.message} />}
          <ItemFact name={text.job.itemStatus} value={format.language.rows[item.status]} />
        </dl>
      )}
    </li>
  )
}

function ItemFact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd dir="auto">{value}</dd>
    </div>
  )
}
