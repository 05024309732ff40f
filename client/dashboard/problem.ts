import { Refusal } from './refusal.ts'
import { text } from './text.ts'

/** A failure in words for people. */
interface ProblemWords {
  happened: string
  /** What did not change. */
  safe: string
  /** What to do next, if `what` does not say it. */
  next: string | undefined
  /** Only loading the page again helps. */
  reload: boolean
}

/** Says what a failed request means: what happened, what stays safe, what to do. */
export function describeProblem(error: unknown): ProblemWords {
  const words = text.problem
  const { status, problem } = error instanceof Refusal ? error : { status: -1, problem: undefined }
  const happened = problem?.detail ?? words.unknown
  const describe = (rest: Partial<ProblemWords>): ProblemWords => ({
    happened,
    safe: words.nothingChanged,
    next: words.busyNext,
    reload: false,
    ...rest,
  })
  switch (status) {
    case 0:
      return describe({ happened: words.unreachable, safe: words.jobsGoOn, next: words.unreachableNext })
    case 401:
      return describe({ happened: words.expired, safe: words.jobsGoOn, next: undefined, reload: true })
    case 403:
      return describe({ happened: words.forbidden, next: words.askNext })
    case 404:
      return describe({ next: undefined })
    case 409:
      return describe({ next: words.conflictNext })
    case 413:
      return describe({ next: words.tooLargeNext })
    case 400:
    case 415:
    case 422:
      return describe({ next: words.invalidNext })
    default:
      return describe({})
  }
}
