import { computed, type ReadonlySignal, signal } from '@preact/signals-core'
import type { Job, Patch } from '../../shared/document/job.ts'
import { getProgressPercent, isTerminalStatus } from '../../shared/document/selectors.ts'
import {
  addSample,
  coarseTimeLeft,
  type Estimate,
  emptyEstimate,
  getRate,
  getTimeLeft,
  sampleOf,
} from '../../shared/time/estimate.ts'
import { isJob, isPatch } from '../../shared/wire/answers.ts'
import type { Received } from '../connection/connection.ts'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import { type Environment, systemEnvironment } from '../connection/environment.ts'
import { type JobMessage, JobReplica } from '../connection/job-replica.ts'
import { type JobAddress, jobUrls } from '../connection/job-url.ts'
import { type ConnectionSignals, createSignalConnection } from './connection-signals.ts'

/** Why the job can't be shown, or not any more. `unreachable` is temporary. */
export type JobError = 'not-found' | 'expired' | 'unreachable'

/** A job as signals. The connection is open while any of them is watched, and a moment longer. */
export interface JobSignal extends ConnectionSignals {
  /**
   * The document. A new object after each change; its arrays are the same ones, changed in place: compare `job`, not `job.items`.
   * `undefined` until it is complete.
   */
  readonly job: ReadonlySignal<Job | undefined>
  /** 0 to 100; `undefined` while the total is unknown. */
  readonly percent: ReadonlySignal<number | undefined>
  /** Units per second; `undefined` until the estimate is reliable. */
  readonly rate: ReadonlySignal<number | undefined>
  /** Seconds, in coarse steps; `undefined` until the estimate is reliable. */
  readonly timeLeft: ReadonlySignal<number | undefined>
  readonly error: ReadonlySignal<JobError | undefined>
}

/** Which job, and how to reach it. */
export type JobSignalOptions = JobAddress & { environment?: Environment | undefined }

/**
 * A job as signals: opens the connection when one of them is first watched, and closes it when none is.
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
  const environment = options.environment ?? systemEnvironment()
  const urls = jobUrls(options)
  const replica = new JobReplica()
  let newest: { job: Job | undefined; estimate: Estimate } = { job: undefined, estimate: emptyEstimate }

  const source = createSignalConnection({
    environment,
    streamUrl: urls.stream,
    pollUrl: urls.document,
    headers: urls.headers,
    receive: (event, data) => taken(replica.receive({ event, data } as JobMessage)),
    receivePoll: (answer) =>
      isJob(answer) || isPatch(answer) ? taken(replica.receiveAnswer(answer as Job | Patch)) : undefined,
    isOver: () => replica.job !== undefined && isTerminalStatus(replica.job.status),
    show() {
      known.value = newest
    },
  })
  const known = signal(newest, source.lifetime)

  function taken(received: Received): Received {
    const { job } = replica
    if (job && job !== newest.job) {
      newest = { job, estimate: addSample(newest.estimate, sampleOf(job)) }
      source.serverClock.observe(job.updatedAt)
    }
    return received
  }

  const job = computed(() => known.value.job)
  const { connection, lastSeen, now } = source
  let told: number | undefined
  return {
    job,
    percent: computed(() => job.value && getProgressPercent(job.value)),
    rate: computed(() => getRate(known.value.estimate, now.value)),
    timeLeft: computed(() => {
      told = coarseTimeLeft(getTimeLeft(known.value.estimate, now.value), told)
      return told
    }),
    error: computed(() => errorOf(connection.value, job.value !== undefined)),
    connection,
    lastSeen,
    now,
  }
}

/** The error that a connection status means to the viewer. */
export function errorOf(connection: ConnectionStatus, hasSomething: boolean): JobError | undefined {
  if (connection === 'not-found' || connection === 'expired') return connection
  const isAway = connection === 'reconnecting' || connection === 'offline'
  return isAway && !hasSomething ? 'unreachable' : undefined
}
