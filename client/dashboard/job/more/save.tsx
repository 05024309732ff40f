import type { Job } from '../../../../shared/document/job.ts'
import { down } from '../../../element/icons.ts'
import { Icon } from '../../parts/icon.tsx'
import { itemsToCsv, logToNdjson, saveFile } from './exports.ts'
import { moreText } from './more-text.ts'

/** Saves the log, or the items, of a job as a file. */
export function Save({ job, what }: { job: Job; what: 'log' | 'items' }) {
  const save = () => {
    if (what === 'log') saveFile(`${job.id}-log.ndjson`, 'application/x-ndjson', logToNdjson(job.logs))
    else saveFile(`${job.id}-items.csv`, 'text/csv', itemsToCsv(job.items))
  }
  return (
    <button type="button" class="quiet small save" onClick={save}>
      <Icon icon={down} />
      {moreText.save[what]}
    </button>
  )
}
