import { useTitle } from '../page.ts'
import { Heading } from '../parts/heading.tsx'
import { AuditTrail } from './audit.tsx'
import { ProcessFigures } from './figures/process-figures.tsx'
import { SignedIn } from './signed-in.tsx'
import { Tokens } from './tokens.tsx'
import { words } from './words.ts'

/** Whether the reader is an administrator of the whole server, not of one tenant: the server has written it into the page. */
const runsServer = document.getElementById('app')?.dataset.runsServer === 'true'

/** The page of administrators: what the process does, what the store has, who is signed in, and the audit. */
export function OperatorPage() {
  useTitle(words.title)
  return (
    <>
      <div class="page-head">
        <Heading>{words.title}</Heading>
      </div>
      {runsServer && <ProcessFigures />}
      <div class="pair">
        <SignedIn />
        <Tokens />
      </div>
      <AuditTrail />
    </>
  )
}
