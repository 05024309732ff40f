import { DocsPage } from './docs/docs-page.tsx'
import { Header } from './header.tsx'
import { JobPage } from './job/job-page.tsx'
import { JobsPage } from './list/jobs-page.tsx'
import { MissingPage } from './missing-page.tsx'
import { route } from './navigation.ts'
import { text } from './text.ts'

/** The dashboard. */
export function App() {
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
    default:
      return <MissingPage />
  }
}
