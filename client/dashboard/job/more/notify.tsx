import { useEffect, useState } from 'preact/hooks'
import type { Job } from '../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'
import { check } from '../../../element/icons.ts'
import { say } from '../../../element/live-region.ts'
import type { JobWords } from '../../../text/words.ts'
import { Icon } from '../../parts/icon.tsx'
import { moreText } from './more-text.ts'

/** Offers to tell the reader when the job ends, for as long as this page is open. */
export function Notify({ job, words }: { job: Job; words: JobWords }) {
  const [isWanted, setWanted] = useState(false)
  const [isDenied, setDenied] = useState(false)
  const isOver = isTerminalStatus(job.status)
  useEffect(() => {
    if (!isWanted || !isOver) return
    setWanted(false)
    try {
      new Notification(job.title, { body: [words.chip, words.line].join(': '), tag: `milepost ${job.id}` })
    } catch {
      // Browsers of phones show only those of service workers.
    }
  }, [isWanted, isOver])
  // Pages without TLS have none.
  if (isOver || !('Notification' in globalThis)) return null
  const toggle = async () => {
    const isGranted = isWanted || (await Notification.requestPermission()) === 'granted'
    setDenied(!isGranted)
    setWanted(isGranted && !isWanted)
    say(isGranted ? (isWanted ? moreText.notifyOff : moreText.notifyOn) : moreText.notifyDenied, true)
  }
  return (
    <>
      <button type="button" aria-pressed={isWanted} onClick={toggle}>
        {isWanted && <Icon icon={check} />}
        {moreText.notify}
      </button>
      {isDenied && <span class="muted">{moreText.notifyDenied}</span>}
    </>
  )
}
