import type { JobWords } from '../../text/words.ts'
import { Heading } from '../parts/heading.tsx'
import { text } from '../text.ts'

/** Shown in place of a job that is loading, missing or no longer visible. */
export function JobMissing({ words }: { words: JobWords }) {
  return (
    <section class="card blank">
      <Heading>{words.line}</Heading>
      {words.state === 'expired' && (
        <button type="button" class="primary" onClick={() => location.reload()}>
          {text.reload}
        </button>
      )}
      {words.state === 'not-found' && <a href="./">{text.toJobs}</a>}
    </section>
  )
}
