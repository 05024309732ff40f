import { text } from './text.ts'
import { useTitle } from './use-title.ts'

/** An address at which there is nothing. */
export function MissingPage() {
  useTitle(text.missing)
  return (
    <section class="card blank">
      <h1 tabIndex={-1}>{text.missing}</h1>
      <p>{text.missingHint}</p>
      <a href="./">{text.toJobs}</a>
    </section>
  )
}
