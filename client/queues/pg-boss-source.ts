import type { JobWithMetadata, PgBoss } from 'pg-boss'
import type { Clock, Timer } from '../../shared/time/clock.ts'
import type { NewJob } from '../producer/job-reporter.ts'
import type { Heard } from './changes.ts'
import type { Describe } from './open-bridge.ts'
import { cutText } from './progress-of.ts'
import type { QueueBridge } from './queue-bridge.ts'
import { GONE, type QueueSource, type SourceJob } from './queue-source.ts'

/** What a bridge uses of pg-boss. */
export type Boss = Pick<PgBoss, 'cancel' | 'findJobs' | 'getDb' | 'getQueue'>

/** How often the table of jobs is asked for changes: milliseconds. */
const POLL_MS = 1_000
/** How much later the end of a job is reported: milliseconds. */
const END_MS = 1_000
/** Jobs that one poll finds of each kind, and those that are looked at without a change. */
const FOUND = 1_000
/** How much later than its time a change may be seen, because its transaction lasted: seconds. */
const LATE_SECONDS = 10
/** Jobs that ended so long before the start are shown too: seconds. */
const BEFORE_SECONDS = 3_600
/** Jobs whose last change is remembered. */
const REMEMBERED = 20_000

/** Jobs that run, or changed of late. A job that is tried again has another `retry_count`; of a job that waits there is nothing new. */
const changesIn = (schema: string) => `
  (SELECT id, state, retry_count FROM ${schema}.job WHERE name = $1 AND state IN ('active', 'retry') LIMIT ${FOUND})
  UNION ALL (SELECT id, state, retry_count FROM ${schema}.job
    WHERE name = $1 AND state = 'created' AND created_on > now() - make_interval(secs => $2) ORDER BY created_on LIMIT ${FOUND})
  UNION ALL (SELECT id, state, retry_count FROM ${schema}.job
    WHERE name = $1 AND state > 'active' AND completed_on > now() - make_interval(secs => $2) ORDER BY completed_on DESC LIMIT ${FOUND})`

const STATES = {
  created: 'pending',
  retry: 'pending',
  active: 'running',
  completed: 'completed',
  cancelled: 'cancelled',
  failed: 'failed',
} as const

interface SourceOptions {
  readonly boss: Boss
  readonly name: string
  readonly schema: string
  readonly bridge: QueueBridge
  readonly clock: Clock
  readonly describe: Describe<JobWithMetadata>
}

/** A queue of pg-boss. It tells nobody of changes but new jobs, so that its table is asked. */
export class PgBossSource implements QueueSource {
  readonly #options: SourceOptions
  /** The last change of jobs. */
  readonly #seen = new Map<string, string>()
  #withinSeconds = BEFORE_SECONDS
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: SourceOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  /** Asks for changes, now and then regularly. */
  async poll(): Promise<void> {
    const { boss, name, schema, bridge, clock } = this.#options
    try {
      if (!bridge.isFull) {
        const { rows } = await boss.getDb().executeSql(changesIn(schema), [name, this.#withinSeconds])
        this.#withinSeconds = LATE_SECONDS
        for (const { id, state, retry_count } of rows)
          this.#hear(String(id), `${state} ${retry_count}`, state === 'completed')
      }
    } catch {
      // The next look at a job tells what is wrong.
    }
    if (!this.#isClosed) this.#timer = clock.setTimeout(() => void this.poll(), POLL_MS)
  }

  #hear(id: string, change: string, isEnd: boolean): void {
    if (this.#seen.get(id) === change) return
    const [oldest] = this.#seen.keys()
    if (this.#seen.size >= REMEMBERED && oldest !== undefined) this.#seen.delete(oldest)
    // Those that change stay.
    this.#seen.delete(id)
    this.#seen.set(id, change)
    const { bridge, clock } = this.#options
    // Another process may be about to report how far its handler came.
    if (isEnd) clock.setTimeout(() => bridge.hear(id), END_MS)
    else bridge.hear(id)
  }

  async read(id: string, { progress }: Heard): Promise<SourceJob> {
    const { boss, name, describe, clock } = this.#options
    const [job] = await boss.findJobs<object>(name, { id })
    return job ? { ...readPgBossJob(job, describe(job, name), clock.now()), progress } : GONE
  }

  async remove(id: string): Promise<boolean> {
    const { boss, name } = this.#options
    await boss.cancel(name, id)
    const [job] = await boss.findJobs<object>(name, { id })
    return job?.state === 'cancelled'
  }

  async cancel(id: string): Promise<void> {
    await this.remove(id)
  }

  async *unseen(): AsyncGenerator<string> {
    const { boss, name } = this.#options
    for (const { id } of await boss.findJobs(name, { queued: true, limit: FOUND })) yield id
  }

  async proceed(): Promise<void> {}

  async close(): Promise<void> {
    this.#isClosed = true
    this.#options.clock.clearTimeout(this.#timer)
  }
}

/** A job of pg-boss as its bridge knows it. @param now milliseconds since the epoch */
function readPgBossJob(job: JobWithMetadata, toCreate: Omit<NewJob, 'id'>, now: number): SourceJob {
  const { state, retryCount, output, createdOn, completedOn } = job
  const reason = state === 'completed' ? undefined : reasonOf(output)
  const last = state === 'active' ? retryCount : retryCount + 1
  return {
    state: STATES[state],
    // It is counted when the next try begins.
    attempt: retryCount + (state === 'retry' ? 2 : 1),
    // Of tries before the last one nothing is kept.
    failureOf: (attempt) => (attempt === last && reason) || 'It failed, or its worker was lost',
    message: state === 'failed' ? reason : messageOf(job, now),
    result: state === 'completed' ? (output ?? undefined) : undefined,
    added: createdOn.getTime(),
    ended: completedOn?.getTime(),
    toCreate,
  }
}

/** What a job waits for. */
function messageOf({ state, blocked, startAfter }: JobWithMetadata, now: number): string | undefined {
  if (state !== 'created') return undefined
  if (blocked) return 'Waits for the jobs that it depends on'
  return startAfter.getTime() > now ? `Begins after ${startAfter.toISOString()}` : undefined
}

/** The message of an error, as pg-boss keeps it. */
function reasonOf(output: unknown): string | undefined {
  const { message, value } = Object(output) as { message?: unknown; value?: unknown }
  if (typeof message === 'string') return cutText(message)
  const { message: inner = value } = Object(value) as { message?: unknown }
  return inner === undefined ? undefined : cutText(inner)
}
