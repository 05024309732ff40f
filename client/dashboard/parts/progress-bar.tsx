import type { JobState } from '../../text/job-language.ts'
import type { JobWords } from '../../text/words.ts'

/** States before the start: an empty track. */
const empty: ReadonlySet<JobState> = new Set(['connecting', 'unreachable', 'waiting', 'not-found', 'expired'])

/** A progress bar with the job's text. Indeterminate while the total is unknown. */
export function ProgressBar({ words, label, big = false }: { words: JobWords; label: string; big?: boolean }) {
  const { percent, state, sentence } = words
  const unknown = percent === undefined && !empty.has(state)
  // Everything was tried: the chip and the line show what failed.
  const tone = state === 'completed-with-failures' ? 'done' : words.tone
  return (
    <div
      class={`bar ${tone}${big ? ' big' : ''}${unknown ? ' unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent === undefined ? undefined : Math.floor(percent)}
      aria-valuetext={sentence}
    >
      <div class="fill" style={{ '--percent': percent ?? 0 }} />
    </div>
  )
}
