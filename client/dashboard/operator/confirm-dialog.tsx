import { useState } from 'preact/hooks'
import { say } from '../../element/live-region.ts'
import { call } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { words } from './words.ts'

interface ConfirmProps {
  title: string
  /** Whom or what it is about. */
  what: string
  hint: string
  /** The word on the button. */
  action: string
  /** What is deleted in the API. */
  path: string
  /** Said when it is done. */
  done: string
  onDone(): void
  onClose(): void
}

/** Asks for confirmation before something ends for good. */
export function ConfirmDialog({ title, what, hint, action, path, done, onDone, onClose }: ConfirmProps) {
  const [error, setError] = useState<unknown>()
  const [isWorking, setWorking] = useState(false)
  const confirm = async () => {
    setWorking(true)
    setError(undefined)
    try {
      await call(path, 'DELETE')
      say(done, true)
      onDone()
      onClose()
    } catch (reason) {
      setError(reason)
      setWorking(false)
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <p>
        <strong dir="auto">{what}</strong>
      </p>
      <p class="muted">{hint}</p>
      {error !== undefined && <Notice error={error} />}
      <div class="actions">
        <button type="button" onClick={onClose}>
          {words.keep}
        </button>
        <button type="button" class="danger solid" disabled={isWorking} onClick={confirm}>
          {action}
        </button>
      </div>
    </Dialog>
  )
}
