import { useState } from 'preact/hooks'
import type { JobHeader } from '../../../shared/document/job.ts'
import { fullWords } from './words.ts'

/** Asks the server to do something to the job: `cancel`, `pause`, `resume` or `answers/ASK`. Rejects with the server's sentence. */
export type ActOnJob = (action: string, body?: object) => Promise<void>

/** Pause, resume, cancel. The job itself shows the outcome. Cancelling asks first. */
export function ElementControls({ job, control }: { job: JobHeader; control: ActOnJob }) {
  const [error, setError] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [isAsking, setAsking] = useState(false)
  const act = async (what: 'cancel' | 'pause' | 'resume') => {
    setBusy(true)
    setError('')
    await control(what).catch((reason: Error) => setError(reason.message))
    setBusy(false)
    setAsking(false)
  }
  const isPaused = job.pauseRequested || job.status === 'paused'
  if (job.cancelRequested) return null
  return (
    <div class="controls" part="controls">
      {isAsking ? (
        // biome-ignore lint/a11y/noStaticElementInteractions: Esc leaves the question, whichever of its buttons has the focus
        <div class="sure" onKeyDown={({ key }) => key === 'Escape' && setAsking(false)}>
          <span>{fullWords.cancelSure}</span>
          <button type="button" part="button" class="danger" disabled={isBusy} onClick={() => act('cancel')}>
            {fullWords.cancelYes}
          </button>
          <button type="button" part="button" ref={(button) => button?.focus()} onClick={() => setAsking(false)}>
            {fullWords.cancelNo}
          </button>
        </div>
      ) : (
        <>
          <button type="button" part="button" disabled={isBusy} onClick={() => act(isPaused ? 'resume' : 'pause')}>
            {isPaused ? fullWords.resume : fullWords.pause}
          </button>
          <button type="button" part="button" onClick={() => setAsking(true)}>
            {fullWords.cancel}
          </button>
        </>
      )}
      {error !== '' && (
        <p class="danger" role="alert">
          {error}
        </p>
      )}
    </div>
  )
}
