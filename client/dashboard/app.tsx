import { Header } from './header.tsx'
import { JobPage } from './job/job-page.tsx'
import { JobsPage } from './list/jobs-page.tsx'
import { isOperator, route } from './navigation.ts'
import { useTitle } from './page.ts'
import { Heading } from './parts/heading.tsx'
import { lazy } from './parts/lazy.tsx'
import { text } from './text.ts'

const loading = <p class="muted">{text.loading}</p>
const Docs = lazy(() => import('./docs/docs-page.tsx').then(({ DocsPage }) => DocsPage), loading)
const Operator = lazy(() => import('./operator/operator-page.tsx').then(({ OperatorPage }) => OperatorPage), loading)

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
      return <Docs />
    case 'operator':
      return isOperator ? <Operator /> : <MissingPage />
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
