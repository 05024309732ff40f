import type { Ref } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ItemStatus, Job } from '../../../../shared/document/job.ts'
import { countItems } from '../../../../shared/document/selectors.ts'
import { rowIcons } from '../../../element/icons.ts'
import { format } from '../../page.ts'
import { Icon } from '../../parts/icon.tsx'
import { Tabs } from '../../parts/tabs.tsx'
import { text } from '../../text.ts'
import { onDemand } from '../on-demand.ts'
import { ItemList } from './item-list.tsx'
import { pickTab, tabOrder } from './pick-tab.ts'

/**
 * The items of a job in tabs by status; failed first.
 *
 * @param showFailed incremented when the failed items are requested
 */
export function Items({ job, showFailed, box }: { job: Job; showFailed: number; box: Ref<HTMLElement> }) {
  const [chosen, setChosen] = useState<ItemStatus>()
  const picked = useRef<ItemStatus>(undefined)
  picked.current = pickTab(job.itemCounts, picked.current)
  const selected = chosen ?? picked.current
  useEffect(() => {
    if (showFailed > 0) setChosen('failed')
  }, [showFailed])
  if (countItems(job) === 0) return null
  const tabs = tabOrder.map((status) => ({
    id: status,
    label: (
      <>
        <span class={`status ${job.itemCounts[status] > 0 ? status : 'neutral'}`}>
          <Icon icon={rowIcons[status]} />
        </span>
        {format.language.rows[status]} <span class="count">{format.number(job.itemCounts[status])}</span>
      </>
    ),
  }))
  return (
    <section class="card items" ref={box}>
      <h2 class="unseen">{text.job.items}</h2>
      <Tabs<ItemStatus> label={text.job.items} tabs={tabs} selected={selected} onSelect={setChosen}>
        <ItemList key={selected} job={job} status={selected} />
      </Tabs>
      <onDemand.Save job={job} what="items" />
    </section>
  )
}
