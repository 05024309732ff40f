import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Item } from '../../../shared/job.ts'
import { chevron, rowIcons } from '../../icons.ts'
import { format } from '../page.ts'
import { Icon } from '../parts/icon.tsx'
import { text } from '../text.ts'

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
  /** Told how many pixels the open row takes beyond its height. */
  onMeasure(extra: number): void
}

/** An item: its name, under it the reason when it failed, and what was last said of it. Opened, it shows all of that in full. */
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
  const isRunning = item.status === 'running' && item.progress !== undefined
  const name = item.label ?? item.id
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
        <span class={`status ${item.status}`}>
          <Icon icon={rowIcons[item.status]} />
          <span class="unseen">{format.language.rows[item.status]}</span>
        </span>
        <span class="name">
          <span class="path" dir="auto">
            {name}
          </span>
          {item.error !== undefined && (
            <small class="bad" dir="auto">
              {item.error}
            </small>
          )}
        </span>
        <span class="said muted" dir="auto">
          {isRunning ? format.percent(item.progress ?? 0) : item.message}
        </span>
        <span class="turn">
          <Icon icon={chevron} />
        </span>
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
