import { systemClock, systemRandom } from '../../shared/time/clock.ts'
import { shareTimers } from '../../shared/time/shared-timers.ts'
import type { NewJob } from '../producer/job-reporter.ts'
import type { ReporterOptions } from '../producer/reporter.ts'
import { accessServer } from '../producer/server-access.ts'
import { QueueDocuments } from './documents.ts'
import { cutName } from './progress-of.ts'
import { QueueBridge } from './queue-bridge.ts'

/** What a bridge says of a job at its creation; its id, kind, parent and heartbeat are set. */
export type JobDescription = Partial<Pick<NewJob, 'title' | 'owner' | 'metadata' | 'timeoutSeconds'>>

/** How the jobs of a queue are shown, and the server, as for a reporter. */
export interface QueueReporterOptions<Job> extends ReporterOptions {
  /** The kind of all jobs: the name of the queue by default. */
  kind?: string | undefined
  /** The title of a job, by default its name in the queue, and what else its document has. Jobs of other owners need the scope `jobs:assign`. */
  describe?: ((job: Job) => JobDescription) | undefined
  /**
   * How long all bridges may be away before running jobs are shown as stalled: seconds, 600 by default. After five times as long the server
   * fails them.
   */
  heartbeatSeconds?: number | undefined
}

/** A queue whose jobs are reported. */
export interface ReportedQueue {
  /** Ends the bridge, after what waits was sent: within five seconds. Never rejects. The queue goes on. */
  close(): Promise<void>
}

/** By default. */
const HEARTBEAT_SECONDS = 600

/** What a document of a job begins with. */
export type Describe<Job> = (job: Job, title: string) => Omit<NewJob, 'id'>

/** Makes the bridge of a queue. @param progressMs how long progress waits at most: milliseconds */
export function openBridge<Job>(
  queue: string,
  options: QueueReporterOptions<Job>,
  progressMs = Number.POSITIVE_INFINITY,
) {
  const { describe, kind = queue, heartbeatSeconds = HEARTBEAT_SECONDS } = options
  const clock = shareTimers(options.clock ?? systemClock)
  const random = options.random ?? systemRandom
  const access = accessServer(options, clock)
  const { tell } = access
  const mayConnect = !options.fetch && typeof WebSocket === 'function'
  const documents = new QueueDocuments({ access, clock, random, mayConnect })
  const bridge = new QueueBridge({
    documents,
    clock,
    random,
    kind,
    hasOwners: !!describe,
    heartbeatSeconds,
    progressMs,
    tell,
  })
  const fields = { kind, heartbeatSeconds }
  const describeJob: Describe<Job> = (job, title) => {
    let described: JobDescription = {}
    try {
      described = describe?.(job) ?? {}
    } catch (error) {
      tell(`A job can't be described: ${String(error)}`)
    }
    return { ...described, ...fields, title: cutName(described.title ?? title, queue) }
  }
  return { bridge, clock, random, tell, describe: describeJob, fields }
}
