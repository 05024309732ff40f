import type { JobEvent } from '../../shared/document/events.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { type Problem, problems } from '../errors.ts'
import { dueEvent } from './due.ts'
import type { DueTerms, Operation, StoredJob } from './engine.ts'

/** Converts a decision to events, or a refusal. No events when there is nothing to do. */
export function decide(job: StoredJob, decision: Operation | DueTerms): JobEvent[] | { refused: Problem } {
  const { status } = job.header
  if (typeof decision === 'object') {
    const event = dueEvent(job, decision)
    return event ? [event] : []
  }
  if (isTerminalStatus(status)) return { refused: problems.conflict(`The job is ${status} already.`) }
  switch (decision) {
    case 'pause':
      return [{ type: 'control', pauseRequested: true }]
    case 'resume':
      return [{ type: 'control', pauseRequested: false }]
    case 'cancel': {
      const asked: JobEvent = { type: 'control', cancelRequested: true }
      // No producer has started, so the job ends at once.
      return status === 'pending' ? [asked, { type: 'status', status: 'cancelled' }] : [asked]
    }
  }
}
