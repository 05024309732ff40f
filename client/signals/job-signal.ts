import { computed, type ReadonlySignal, signal } from '@preact/signals-core'
import type { Item, Job, JobHeader } from '../../shared/document/job.ts'
import { getProgressPercent, isTerminalStatus } from '../../shared/document/selectors.ts'
import { coarseTimeLeft, estimate } from '../../shared/time/estimate.ts'
import type { ManyJobs } from '../../shared/wire/messages.ts'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import { type Environment, usualEnvironment } from '../connection/environment.ts'
import { type JobAddress, parseJobAddress } from '../connection/job-url.ts'
import { type JobMessage, JobReplica } from '../connection/jobs/job-replica.ts'
import type { FollowedJob, JobStream } from '../connection/jobs/job-stream.ts'
import { joinJobStream } from '../connection/jobs/job-streams.ts'
import { type ConnectionSignals, watchConnection } from './connection-signals.ts'

/** Why the job can't be shown, or not any more. `unreachable` is temporary. */
export type JobError = 'not-found' | 'expired' | 'unreachable'

/** A job as signals. It is followed while any of them is watched, and a moment longer. */
export interface JobSignal extends ConnectionSignals {
  /**
   * The document. A new object after each change; its arrays are the same ones, changed in place: compare `job`, not `job.items`.
   * `undefined` until it is complete.
   */
  readonly job: ReadonlySignal<Job | undefined>
  /** One item of the document: changes only when that item does. */
  item(id: string): ReadonlySignal<Item | undefined>
  /** 0 to 100; `undefined` while the total is unknown. */
  readonly percent: ReadonlySignal<number | undefined>
  /** Units per second; `undefined` until the estimate is reliable. */
  readonly rate: ReadonlySignal<number | undefined>
  /** Seconds, in coarse steps; `undefined` until the estimate is reliable. */
  readonly timeLeft: ReadonlySignal<number | undefined>
  readonly error: ReadonlySignal<JobError | undefined>
}

/** Which job, and how to reach it. */
export type JobSignalOptions = JobAddress & {
  /**
   * The document as a server has rendered it, from `GET /api/jobs/ID`, with the same `parts`. It is shown at once, and the stream goes on from its
   * version. One of another job is ignored.
   */
  initial?: Job | JobHeader | undefined
  environment?: Environment | undefined
}

/** How to reach a job whose id is an argument of its own: as {@link JobSignalOptions}, without it. */
export type UseJobProgressOptions = Omit<Extract<JobSignalOptions, { jobId: string }>, 'jobId' | 'url'>

/**
 * A job as signals: followed from when one of them is first watched until none is. The jobs of one server on a page share a connection.
 *
 * Messages are folded as they arrive; signals change once a frame at most.
 *
 * @example
 * ```ts
 * const { job, percent } = createJobSignal({ jobId: 'import-7' })
 * effect(() => console.log(job.value?.status, percent.value))
 * ```
 */
export function createJobSignal(options: JobSignalOptions): JobSignal {
  const environment = options.environment ?? usualEnvironment()
  const address = parseJobAddress(options)
  const replica = new JobReplica()
  let newest: Job | undefined
  let stream: Pick<JobStream, 'facts' | 'leave'> | undefined

  const followed: FollowedJob = {
    location: address.location,
    get cursor() {
      return replica.cursor
    },
    receive(name, data) {
      if (name === 'ping') return {}
      const { jobId, cursor, ...message } = data as ManyJobs
      const received = replica.receive({ event: name, data: message } as unknown as JobMessage)
      const { job } = replica
      if (job && job !== newest) {
        newest = job
        source.showSoon()
        source.changed()
      }
      return received
    },
    changed: () => source.changed(),
  }
  const initial = initialOf(options)
  if (initial) {
    replica.receive({ event: 'snapshot', data: initial })
    newest = initial
    // A job that has ended does not change any more.
    if (isTerminalStatus(initial.status)) followed.over = 'ended'
  }
  const source = watchConnection({
    environment,
    connection: {
      get status() {
        if (followed.over) return followed.over
        const { connection = 'connecting' } = stream?.facts() ?? {}
        return connection === 'live' && !newest ? 'connecting' : connection
      },
      start() {
        // A job that has ended does not change any more.
        if (followed.over === 'ended') return
        followed.over = undefined
        stream = joinJobStream(followed, address, environment)
      },
      stop: () => stream?.leave(followed),
    },
    times: () => stream?.facts() ?? { now: environment.clock.now() },
    show() {
      job.value = newest
    },
  })
  const job = signal(newest, source.lifetime)
  const { connection, lastSeen, now } = source
  let told: number | undefined
  return {
    job,
    item: (id) => computed(() => (job.value ? replica.item(id) : undefined)),
    percent: computed(() => job.value && getProgressPercent(job.value)),
    rate: computed(() => estimate(job.value, now.value).rate),
    timeLeft: computed(() => {
      told = coarseTimeLeft(estimate(job.value, now.value).timeLeft, told)
      return told
    }),
    error: computed(() => errorOf(connection.value, job.value !== undefined)),
    connection,
    lastSeen,
    now,
  }
}

/** The document that a server has rendered, if it is one of this job. */
export function initialOf({ initial, ...address }: JobSignalOptions): Job | undefined {
  if (initial?.id !== parseJobAddress(address).location.id) return undefined
  return { steps: [], items: [], errors: [], logs: [], ...initial }
}

/** The error that a connection status means to the viewer. */
export function errorOf(connection: ConnectionStatus, hasSomething: boolean): JobError | undefined {
  if (connection === 'not-found' || connection === 'expired') return connection
  const isAway = connection === 'reconnecting' || connection === 'offline'
  return isAway && !hasSomething ? 'unreachable' : undefined
}
