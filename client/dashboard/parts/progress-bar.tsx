import type { JobState } from '../../job-language.ts'
import type { JobWords } from '../../words.ts'

/** States without a share in which nothing has begun: an empty track says so. */
const empty: ReadonlySet<JobState> = new Set(['connecting', 'unreachable', 'waiting', 'not-found', 'expired'])

/** How far a job is: a bar that says its words. An unknown total is a band that moves while the work goes on. */
export function ProgressBar({ words, label, big = false }: { words: JobWords; label: string; big?: boolean }) {
  const { percent, state, sentence } = words
  const unknown = percent === undefined && !empty.has(state)
  // All was tried: what failed of it, the chip and the line say.
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
