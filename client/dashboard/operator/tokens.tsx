import { useRef, useState } from 'preact/hooks'
import type { AuditList, AuditRecord } from '../../../shared/wire/api.ts'
import { jobPath } from '../../../shared/wire/paths.ts'
import { call } from '../api.ts'
import { format } from '../page.ts'
import { Notice } from '../parts/notice.tsx'
import { useHolding } from '../parts/use-holding.ts'
import { toHref } from '../route.ts'
import { text } from '../text.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { type JobTokens, jobTokens } from './job-tokens.ts'
import { useEvery } from './use-every.ts'
import { words } from './words.ts'

/** How often the list is loaded again: milliseconds. */
const RELOAD_MS = 30_000

const actions = ['token-created', 'tokens-revoked', 'job-deleted'] as const

/** Tokens of jobs that the audit knows, with a way to revoke them. */
export function Tokens() {
  const area = useRef<HTMLElement>(null)
  const [jobs, setJobs] = useState<JobTokens[]>()
  const [error, setError] = useState<unknown>()
  const [revoking, setRevoking] = useState<string>()
  const isHeld = useHolding(area)
  const load = async () => {
    try {
      const lists = await Promise.all(
        actions.map(async (action): Promise<AuditList> => (await call(`api/audit?limit=100&action=${action}`)).json()),
      )
      const newestFirst = (a: AuditRecord, b: AuditRecord) => (a.at < b.at ? 1 : -1)
      setJobs(jobTokens(lists.flatMap(({ records }) => records).sort(newestFirst), Date.now()))
      setError(undefined)
    } catch (reason) {
      setError(reason)
    }
  }
  useEvery(RELOAD_MS, () => void (jobs && isHeld ? undefined : load()), '')
  return (
    <section class="card" ref={area}>
      <h2>{words.tokens}</h2>
      <p class="muted">{jobs?.length === 0 ? words.noTokens : words.tokensHint}</p>
      {error !== undefined && <Notice error={error} onRetry={load} />}
      <ul class="rows">
        {jobs?.map(({ job, tokens }) => (
          <li key={job} class="row">
            <a href={toHref({ page: 'job', id: job })} dir="auto">
              {job}
            </a>
            <button
              type="button"
              class="aside small danger"
              aria-label={text.labelled(words.revoke, job)}
              onClick={() => setRevoking(job)}
            >
              {words.revoke}
            </button>
            <small class="muted" dir="auto">
              {describe(tokens)}
            </small>
          </li>
        ))}
      </ul>
      {revoking !== undefined && (
        <ConfirmDialog
          title={words.revokeTitle}
          what={revoking}
          hint={words.revokeHint}
          action={words.revoke}
          path={`${jobPath(revoking)}/tokens`}
          done={words.revoked}
          onDone={() => setJobs(jobs?.filter(({ job }) => job !== revoking))}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </section>
  )
}

/** The newest token, and how many others there are. */
function describe([newest, ...others]: readonly AuditRecord[]): string {
  if (!newest) return ''
  const { can = 'watch', sub = words.unknown, expiresAt = '' } = newest
  const first = words.token(words.can[can], sub, format.time(Date.parse(expiresAt), Date.now()))
  return others.length === 0 ? first : `${first} · ${words.more(format.number(others.length))}`
}
