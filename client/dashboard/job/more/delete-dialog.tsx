import { useState } from 'preact/hooks'
import type { Job } from '../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'
import { jobPath } from '../../../../shared/wire/paths.ts'
import { say } from '../../../element/live-region.ts'
import { call } from '../../api.ts'
import { navigate } from '../../navigation.ts'
import { Dialog } from '../../parts/dialog.tsx'
import { Notice } from '../../parts/notice.tsx'
import { text } from '../../text.ts'

/** Asks for confirmation before a job is deleted for good. */
export function DeleteDialog({ job, onClose }: { job: Job; onClose(): void }) {
  const [error, setError] = useState<unknown>()
  const [removing, setRemoving] = useState(false)
  const remove = async () => {
    setRemoving(true)
    setError(undefined)
    try {
      await call(jobPath(job.id), 'DELETE')
      navigate('./', { replace: true })
      say(text.job.removed, true)
    } catch (reason) {
      setError(reason)
      setRemoving(false)
    }
  }
  return (
    <Dialog title={text.job.removeTitle} onClose={onClose}>
      <p>
        <strong dir="auto">{job.title}</strong>
      </p>
      <p class="muted">{isTerminalStatus(job.status) ? text.job.removeEnded : text.job.removeLive}</p>
      {error !== undefined && <Notice error={error} />}
      <div class="actions">
        <button type="button" onClick={onClose}>
          {text.job.keep}
        </button>
        <button type="button" class="danger solid" disabled={removing} onClick={remove}>
          {text.job.remove}
        </button>
      </div>
    </Dialog>
  )
}
