import type { Job, Step } from '../../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'

interface TimelineRow {
  step: Step
  /** Percent of the time of the job. */
  start: number
  width: number
  /** Milliseconds. */
  took: number
}

/** Where the spans of a job's steps are, those that have begun. */
export function layOut(job: Job, now: number): { from: number; to: number; rows: TimelineRow[] } {
  const from = Date.parse(job.startedAt ?? job.createdAt)
  const isOver = isTerminalStatus(job.status)
  // A clock that was set back must not turn the picture round.
  const to = Math.max(from + 1, isOver ? Date.parse(job.endedAt ?? job.updatedAt) : now)
  const share = (moment: number) => Math.min(100, Math.max(0, ((moment - from) * 100) / (to - from)))
  const rows = job.steps.flatMap((step) => {
    if (step.startedAt === undefined) return []
    const begin = Date.parse(step.startedAt)
    const end = step.endedAt === undefined ? to : Date.parse(step.endedAt)
    const start = share(begin)
    return [{ step, start, width: Math.max(0, share(end) - start), took: end - begin }]
  })
  return { from, to, rows }
}
