import type { Item } from '../../../../shared/document/job.ts'
import { chevron, rowIcons } from '../../../element/icons.ts'
import { format } from '../../page.ts'
import { Icon } from '../../parts/icon.tsx'
import { Pure } from '../../parts/pure.ts'

/** An item in one line: status, name, the reason of a failure, and the last message. */
export class ItemSummary extends Pure<{ item: Item }> {
  override render() {
    const { item } = this.props
    const isRunning = item.status === 'running' && item.progress !== undefined
    return (
      <>
        <span class={`status ${item.status}`}>
          <Icon icon={rowIcons[item.status]} />
          <span class="unseen">{format.language.rows[item.status]}</span>
        </span>
        <span class="name">
          <span class="path" dir="auto">
            {item.label ?? item.id}
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
      </>
    )
  }
}
