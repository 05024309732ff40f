/**
 * Shows the jobs of pg-boss's queues. Loads no package: it uses the object of `pg-boss` that it is given.
 */
import type { JobWithMetadata } from 'pg-boss'
import { backOff } from '../../shared/time/backoff.ts'
import { documentIdOf } from './lives.ts'
import { openBridge, type QueueReporterOptions, type ReportedQueue } from './open-bridge.ts'
import { type Boss, PgBossSource } from './pg-boss-source.ts'
import { progressOf } from './progress-of.ts'

export type { JobDescription, QueueReporterOptions, ReportedQueue } from './open-bridge.ts'
export type { Boss } from './pg-boss-source.ts'

/** A queue of pg-boss whose jobs are reported. */
export interface ReportedPgBoss extends ReportedQueue {
  /**
   * Reports the progress of a job, for its handler: `{ done: 13, total: 100, unit: 'rows', message: '…' }`, or a percentage. Cheap enough for
   * each row of a loop that awaits something. Never throws.
   */
  progress(job: { id: string }, progress: object | number): void
}

/** How long the progress of a handler waits at most, so that it comes before the end of the job: milliseconds. */
const PROGRESS_MS = 250
/** The wait before another try to read the queue for the first time: milliseconds. */
const AGAIN_MS = { first: 250, most: 5_000 }

/** How the jobs of a queue of pg-boss are shown. */
export interface PgBossOptions extends QueueReporterOptions<JobWithMetadata> {
  /** The schema of pg-boss in the database: `pgboss` by default. */
  schema?: string | undefined
}

/** The id of the document of a job of pg-boss, for links to it. After its end a job that is started again has another. */
export function pgBossJobId({ name, id }: { name: string; id: string }): string {
  return documentIdOf(name, id)
}

/**
 * Shows the jobs of a queue of pg-boss, from when they are sent to their end: tries, failures, delays. A cancel cancels the job in pg-boss too;
 * the `signal` of its handler aborts if the queue has `heartbeatSeconds`. pg-boss knows no progress: handlers report it with `progress` of what
 * this returns.
 *
 * Runs in any process, and in several at once. It asks the table of jobs every second. Never throws.
 *
 * @example
 * ```ts
 * reportPgBoss(boss, 'exports', { url: 'https://progress.example', token })
 * ```
 */
export function reportPgBoss(boss: Boss, name: string, options: PgBossOptions): ReportedPgBoss {
  const { schema = 'pgboss' } = options
  const { bridge, clock, random, tell, describe } = openBridge(name, options, PROGRESS_MS)
  let isClosed = false
  const begin = async () => {
    for (let failures = 1; !isClosed; failures++) {
      try {
        const queue = await boss.getQueue(name)
        if (!queue) throw new Error('There is no such queue')
        const source = new PgBossSource({ boss, name, schema, bridge, clock, describe })
        void source.poll()
        // No two databases have a queue that was made in the same millisecond.
        return await bridge.start(source, `${queue.createdOn.getTime()}`)
      } catch (error) {
        if (failures === 1) tell(`The queue ${name} can't be read: ${String(error)}`)
        await new Promise<void>((resolve) => {
          clock.setTimeout(resolve, backOff(failures, AGAIN_MS.first, AGAIN_MS.most, random.number()))
        })
      }
    }
  }
  void begin()
  return {
    progress: ({ id }, progress) => bridge.hear(id, { isProgress: true, progress: progressOf(progress) }),
    close: async () => {
      isClosed = true
      await bridge.close()
    },
  }
}
