import { useState } from 'preact/hooks'
import type { Job } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { jobPath } from '../../../shared/wire/paths.ts'
import { bin, pause, play, stop } from '../../element/icons.ts'
import type { JobWords } from '../../text/words.ts'
import { call } from '../api.ts'
import { Icon } from '../parts/icon.tsx'
import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import { onDemand } from './on-demand.ts'

/** Pause, resume, cancel. The job itself shows the outcome. */
export function Controls({ job, words }: { job: Job; words: JobWords }) {
  const [error, setError] = useState<unknown>()
  const [asking, setAsking] = useState(false)
  const [dialog, setDialog] = useState<'cancel' | 'delete'>()
  const close = () => setDialog(undefined)
  const ask = async (what: 'pause' | 'resume') => {
    setError(undefined)
    setAsking(true)
    await call(`${jobPath(job.id)}/${what}`, 'POST').catch(setError)
    setAsking(false)
  }
  const isLive = !isTerminalStatus(job.status)
  const isPaused = job.pauseRequested || job.status === 'paused'
  return (
    <>
      <div class="controls">
        {isLive && !job.cancelRequested && (
          <>
            <button type="button" disabled={asking} onClick={() => ask(isPaused ? 'resume' : 'pause')}>
              <Icon icon={isPaused ? play : pause} />
              {isPaused ? text.job.resume : text.job.pause}
            </button>
            <button type="button" onClick={() => setDialog('cancel')}>
              <Icon icon={stop} />
              {text.job.cancel}
            </button>
          </>
        )}
        <onDemand.Notify job={job} words={words} />
        <button type="button" class="danger" onClick={() => setDialog('delete')}>
          <Icon icon={bin} />
          {text.job.remove}
        </button>
      </div>
      {error !== undefined && (
        <div class="refused">
          <Notice error={error} />
        </div>
      )}
      {/* A job that ends meanwhile can't be cancelled. */}
      {dialog === 'cancel' && isLive && <onDemand.CancelDialog job={job} onClose={close} />}
      {dialog === 'delete' && <onDemand.DeleteDialog job={job} onClose={close} />}
    </>
  )
}
