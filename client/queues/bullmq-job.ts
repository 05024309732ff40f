import type { Job, JobState } from 'bullmq'
import type { NewJob } from '../producer/job-reporter.ts'
import type { Heard } from './changes.ts'
import { documentIdOf } from './lives.ts'
import { cutName, cutText, progressOf } from './progress-of.ts'
import { GONE, type SourceJob } from './queue-source.ts'

/** The id of a BullMQ job's document, for links to it. After its end a job that is started again has another. */
export function bullMQJobId({ queueName, id }: Pick<Job, 'queueName' | 'id'>): string {
  return documentIdOf(queueName, id ?? '')
}

/** Why a try failed whose worker said nothing. */
const LOST = 'Its worker was lost, or did not renew its lock'

const STATES = {
  completed: 'completed',
  failed: 'failed',
  active: 'running',
  delayed: 'pending',
  prioritized: 'pending',
  waiting: 'pending',
  'waiting-children': 'pending',
  unknown: undefined,
} as const

/**
 * A BullMQ job as its bridge knows it.
 *
 * @param fields what its document begins with, besides
 */
export function readBullMQJob(
  job: Job,
  state: JobState | 'unknown',
  fields: Omit<NewJob, 'id'>,
  heard: Heard,
): SourceJob {
  const known = STATES[state]
  const { timestamp: added, finishedOn, attemptsMade, stalledCounter, failedReason, stacktrace } = job
  const isOver = known === 'completed' || known === 'failed'
  const failures = attemptsMade + stalledCounter
  const failed = known === 'completed' ? failures - 1 : failures
  const parent = parentOf(job)
  return {
    state: known ?? GONE.state,
    // The last try counts as made when it has ended.
    attempt: Math.max(1, isOver ? failures : failures + 1),
    failureOf: (attempt) => {
      if (attempt === failed) return cutText((!heard.isLost && failedReason) || LOST)
      // Lost workers leave no trace.
      const trace = stalledCounter === 0 && stacktrace?.length === failed ? stacktrace[attempt - 1] : undefined
      return trace ? cutText(trace.replace(/^Error: |\n.*/gs, '')) : 'It failed, or its worker was lost'
    },
    message: known === undefined ? GONE.message : messageOf(job, state),
    // Nothing was reported.
    progress: job.progress === 0 ? undefined : progressOf(job.progress),
    result: known === 'completed' ? (job.returnvalue ?? undefined) : undefined,
    added,
    ended: isOver ? finishedOn : undefined,
    toCreate: parent === undefined ? fields : { ...fields, parentId: parent },
  }
}

/** What a job waits for, or why it failed. */
function messageOf(job: Job, state: JobState | 'unknown'): string | undefined {
  if (state === 'failed') return cutText(job.failedReason || LOST)
  if (state === 'waiting-children') return 'Waits for its children'
  // Between two tries it says why the last one failed.
  if (state !== 'delayed' || job.attemptsMade + job.stalledCounter > 0) return undefined
  return `Begins after ${new Date(job.timestamp + job.delay).toISOString()}`
}

/** The id of the document of a job's parent: `bull:QUEUE:ID` is the key of the latter. */
function parentOf({ parent, prefix }: Job): string | undefined {
  if (parent?.id === undefined) return undefined
  const { id, queueKey } = parent
  return documentIdOf(queueKey.startsWith(`${prefix}:`) ? queueKey.slice(prefix.length + 1) : queueKey, id)
}

/** A job that the queue has removed: all that is known of it was heard. */
export function removedOf({ end, name, newest, progress }: Heard, fields: Omit<NewJob, 'id' | 'title'>): SourceJob {
  if (!end) return GONE
  const found = { ...GONE, ...end, progress, message: end.message, ended: Number(newest?.split('-')[0]) || undefined }
  return name === undefined ? found : { ...found, toCreate: { ...fields, title: cutName(name, 'Job') } }
}
