import { Heading } from './parts/heading.tsx'
import { text } from './text.ts'
import { useTitle } from './use-title.ts'

/** The page for an unknown address. */
export function MissingPage() {
  useTitle(text.missing)
  return (
    <section class="card blank">
      <Heading>{text.missing}</Heading>
      <p>{text.missingHint}</p>
      <a href="./">{text.toJobs}</a>
    </section>
  )
}
