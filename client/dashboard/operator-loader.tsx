import type { FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useTitle } from './page.ts'
import { Notice } from './parts/notice.tsx'
import { Refusal } from './refusal.ts'
import { text } from './text.ts'

/** The operator's page, whose code is loaded when it is first opened. */
export function OperatorLoader() {
  useTitle(text.operator)
  const [Page, setPage] = useState<FunctionComponent>()
  const [hasFailed, setFailed] = useState(false)
  const load = async () => {
    const { OperatorPage } = await import('./operator/operator-page.tsx')
    setPage(() => OperatorPage)
  }
  useEffect(() => void load().catch(() => setFailed(true)), [])
  // Browsers remember that a module could not be loaded, until the page is loaded again.
  if (hasFailed) return <Notice error={new Refusal(0)} onRetry={() => location.reload()} />
  return Page ? <Page /> : <p class="muted">{text.loading}</p>
}
