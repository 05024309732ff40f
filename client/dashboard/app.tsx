import { DocsPage } from './docs/docs-page.tsx'
import { Header } from './header.tsx'
import { JobPage } from './job/job-page.tsx'
import { JobsPage } from './list/jobs-page.tsx'
import { isOperator, route } from './navigation.ts'
import { OperatorLoader } from './operator-loader.tsx'
import { useTitle } from './page.ts'
import { Heading } from './parts/heading.tsx'
import { text } from './text.ts'

/** The dashboard. */
export function Dashboard() {
  const skip = () => document.querySelector<HTMLElement>('main')?.focus()
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        {text.skip}
      </button>
      <Header />
      <main tabIndex={-1}>
        <Page />
      </main>
    </>
  )
}

function Page() {
  const { value } = route
  switch (value.page) {
    case 'jobs':
      return <JobsPage {...value} />
    case 'job':
      return <JobPage key={value.id} id={value.id} />
    case 'docs':
      return <DocsPage />
    case 'operator':
      return isOperator ? <OperatorLoader /> : <MissingPage />
    default:
      return <MissingPage />
  }
}

/** The page for an unknown address. */
function MissingPage() {
  useTitle(text.missing)
  return (
    <section class="card blank">
      <Heading>{text.missing}</Heading>
      <p>{text.missingHint}</p>
      <a href="./">{text.toJobs}</a>
    </section>
  )
}
