import { useState } from 'preact/hooks'
import type { Job } from '../../../../shared/document/job.ts'
import { jobPath } from '../../../../shared/wire/paths.ts'
import { call } from '../../api.ts'
import { Dialog } from '../../parts/dialog.tsx'
import { Notice } from '../../parts/notice.tsx'
import { moreText } from './more-text.ts'

/** Asks for confirmation before a job is cancelled: it can't be resumed. */
export function CancelDialog({ job, onClose }: { job: Job; onClose(): void }) {
  const [error, setError] = useState<unknown>()
  const [isWorking, setWorking] = useState(false)
  const cancel = async () => {
    setWorking(true)
    setError(undefined)
    try {
      await call(`${jobPath(job.id)}/cancel`, 'POST')
      onClose()
    } catch (reason) {
      setError(reason)
      setWorking(false)
    }
  }
  return (
    <Dialog title={moreText.cancelTitle} onClose={onClose}>
      <p>
        <strong dir="auto">{job.title}</strong>
      </p>
      <p class="muted">{job.status === 'pending' ? moreText.cancelPending : moreText.cancelLive}</p>
      {error !== undefined && <Notice error={error} />}
      <div class="actions">
        <button type="button" onClick={onClose}>
          {moreText.letRun}
        </button>
        <button type="button" class="danger solid" disabled={isWorking} onClick={cancel}>
          {moreText.cancelIt}
        </button>
      </div>
    </Dialog>
  )
}
