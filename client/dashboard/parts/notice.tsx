import { useEffect, useMemo } from 'preact/hooks'
import { warning } from '../../element/icons.ts'
import { say } from '../../element/live-region.ts'
import type { JobError } from '../../signals/job-signal.ts'
import { returns } from '../page.ts'
import { describeProblem } from '../problem.ts'
import { Refusal } from '../refusal.ts'
import { text } from '../text.ts'
import { Icon } from './icon.tsx'

/** A request that failed: what happened, what stays safe, what to do next. */
export function Notice({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const { happened, safe, next, reload } = describeProblem(error)
  const before = useMemo(() => returns.peek(), [error])
  // That the server did not answer is over once it does.
  const isOver = returns.value > before && error instanceof Refusal && error.status === 0
  useEffect(() => {
    say(happened, true)
  }, [happened])
  useEffect(() => {
    if (isOver) onRetry?.()
  }, [isOver])
  if (isOver) return null
  return (
    <div class="notice attention">
      <Icon icon={warning} />
      <p>
        <strong>{happened}</strong> {safe} {next}
      </p>
      {reload ? (
        <button type="button" onClick={() => location.reload()}>
          {text.reload}
        </button>
      ) : (
        onRetry && (
          <button type="button" onClick={onRetry}>
            {text.tryAgain}
          </button>
        )
      )}
    </div>
  )
}

const statuses = { expired: 401, 'not-found': 404, unreachable: 0 } as const

/** Why what is shown is not up to date; nothing while it is, or the interruption is short. */
export function Trouble({ error }: { error: JobError | undefined }) {
  return error === undefined ? null : <Notice error={new Refusal(statuses[error])} />
}
