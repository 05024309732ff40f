import { useEffect } from 'preact/hooks'
import { warning } from '../../element/icons.ts'
import { say } from '../../element/live-region.ts'
import { describeProblem } from '../problem.ts'
import { text } from '../text.ts'
import { Icon } from './icon.tsx'

/** A request that failed: what happened, what stays safe, what to do next. */
export function Notice({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const { happened, safe, next, reload } = describeProblem(error)
  useEffect(() => {
    say(happened, true)
  }, [happened])
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
