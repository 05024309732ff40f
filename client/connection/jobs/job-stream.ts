import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { Timer } from '../../../shared/time/clock.ts'
import type { PingData } from '../../../shared/wire/messages.ts'
import { progressPath } from '../../../shared/wire/paths.ts'
import type { createConnection, Received } from '../connection.ts'
import {
  type ConnectionEvent,
  type ConnectionStatus,
  statusOfEnd,
  statusOfRefusal,
  type transition,
} from '../connection-state.ts'
import type { Environment } from '../environment.ts'
import type { JobFacts } from '../job-facts.ts'
import { documentUrl, type JobLocation } from '../job-url.ts'
import { createServerClock } from '../server-clock.ts'
import type { ClientRequests } from '../transport.ts'

/** A job on a shared stream, and its state. */
export interface FollowedJob {
  readonly location: JobLocation
  /** The cursor that the next stream starts from. Without one it starts with a snapshot. */
  readonly cursor?: string | undefined
  /** Why following has ended; `undefined` while it goes on. */
  over?: ConnectionStatus | undefined
  /** Whether a message once did not continue the document. From then on each stream starts with a snapshot of it. */
  isInDoubt?: boolean
  /**
   * Whether the server refused this job, which leaves it out of the stream; `false` once the stream includes it again, until it is heard. A
   * second refusal is believed.
   */
  isRefused?: boolean | undefined
  /** Takes a message: its name and its data. Pings go to every job. What a poll found is one too, without `jobId`. */
  receive(name: string, data: unknown): Received
  /** Called when its token has ended: replaces it. Resolves to whether it did; until then the job is left out of the stream. */
  renew?: (() => Promise<boolean>) | undefined
  /** Called after any of this, or the connection, has changed. */
  changed(): void
}

/**
 * One stream of many jobs. Browsers open six HTTP/1.1 connections to a server, all tabs together: a page with one for each job would block
 * everything else.
 */
export interface JobStream {
  /** The status of the connection, and the server's clock. */
  facts(): Pick<JobFacts, 'connection' | 'now' | 'lastSeen'>
  /** Follows a job, if there is room. Returns whether it does. */
  join(job: FollowedJob): boolean
  leave(job: FollowedJob): void
  /** Begins again: cursors of jobs have changed. */
  restart(): void
}

/** How jobs of one server and one kind of access are read. */
interface JobStreamOptions extends ClientRequests {
  /** Where the server is mounted, without a slash at its end. */
  base: string
  parts: 'header' | 'all'
  /** Jobs that fit into one URL. */
  mostJobs: number
  policy: typeof transition
  /** Makes the connection, which may be one of several tabs. */
  connect: typeof createConnection
  /** The name of the message that an answer to a poll is; `undefined` for one that is not the server's. */
  nameOf(answer: unknown): 'snapshot' | 'patch' | undefined
  /** Finds out whether the server refuses this origin. */
  originRefusal(): Promise<typeof import('../access/origin-refusal.ts')>
  environment: Environment
}

/** Jobs that are added or removed within this time change the stream once: milliseconds. */
const GATHER_MS = 20
/** How long a refused job is left out before it is asked for again: a server that is being deployed may refuse for a moment. */
const ASK_AGAIN_MS = 3_000

/** A stream of jobs that join and leave. It is open while there are any. */
export function createJobStream(options: JobStreamOptions): JobStream {
  const { base, parts, environment } = options
  const { clock } = environment
  const serverClock = createServerClock(clock)
  /** The jobs that have not ended. */
  const jobs = new Set<FollowedJob>()
  let lastSeen: number | undefined
  let isOriginRefused = false
  let gathering: Timer | undefined

  const connection = options.connect({
    environment,
    policy: options.policy,
    // Without a job the stream would follow all jobs.
    open: async (_cursor, attempt) => (streamed().length > 0 ? options.open(streamUrl(), attempt) : undefined),
    poll: (_cursor, { signal }) => pollAll(signal).catch(() => explain(signal)),
    receive(name, data) {
      const { jobId } = data as { jobId?: string }
      if (name === 'ping') serverClock.set((data as PingData).at)
      for (const job of jobs) {
        // The server accepts whatever is in the stream.
        job.isRefused ||= undefined
        if (!jobId || job.location.id === jobId) hear(job, name, data)
      }
      return { type: 'message' }
    },
    onStatus: tellAll,
    onHeard() {
      isOriginRefused = false
      lastSeen = serverClock.now()
    },
  })

  function tellAll(): void {
    for (const job of jobs) job.changed()
  }

  /** The jobs of the next stream, without those that were refused: they would fail the whole stream. */
  const streamed = () => [...jobs].filter(({ isRefused }) => !isRefused)

  function restartSoon(): void {
    clock.clearTimeout(gathering)
    gathering = clock.setTimeout(() => (streamed().length > 0 ? connection.again() : connection.stop()), GATHER_MS)
  }

  function streamUrl(): string {
    const query = new URLSearchParams({ parts })
    for (const { location, cursor, isInDoubt } of streamed()) {
      query.append('job', cursor && !isInDoubt ? `${location.id}@${cursor}` : location.id)
      if (location.token) query.append('token', location.token)
    }
    return `${base}/${progressPath}?${query}`
  }

  function hear(job: FollowedJob, name: string, data: unknown): void {
    if (name !== 'ping') job.isRefused = undefined
    const { gap, ended } = job.receive(name, data)
    if (ended) finish(job, statusOfEnd(ended))
    if (!gap) return
    // Another stream brings what is missing. If this one was opened for that, it may be a hot loop.
    if (job.isInDoubt) clock.setTimeout(restartSoon, ASK_AGAIN_MS)
    else restartSoon()
    job.isInDoubt = true
  }

  function finish(job: FollowedJob, status: ConnectionStatus, renew = status === 'expired' && job.renew): void {
    if (renew) {
      job.isRefused = true
      void renew()
        .catch(() => false)
        .then((isRenewed) => {
          job.isRefused = undefined
          if (!isRenewed) finish(job, status, false)
          else if (jobs.has(job)) restartSoon()
        })
    } else if (jobs.delete(job)) {
      job.over = status
      job.changed()
    }
    if (streamed().length === 0) connection.stop()
  }

  /** Polls each job: the fallback for streams. */
  async function pollAll(signal: AbortSignal): Promise<ConnectionEvent | undefined> {
    const answers = await Promise.all([...jobs].map((job) => poll(job, signal)))
    // A refused job does not affect the others; other failures are left to the policy.
    return answers.find(({ type }) => type === 'failed') ?? answers[0]
  }

  /** Finds out why the server does not answer. */
  async function explain(signal: AbortSignal): Promise<ConnectionEvent | undefined> {
    // A server that has answered allows this origin.
    if (lastSeen !== undefined) return { type: 'failed' }
    const { isThereForAll, tellOriginRefused } = await options.originRefusal()
    if (!(await isThereForAll(base, environment, signal))) return { type: 'failed' }
    // The network may have been lost for a moment.
    return pollAll(signal).catch(() => {
      signal.throwIfAborted()
      if (!isOriginRefused) tellOriginRefused(base, environment)
      isOriginRefused = true
      tellAll()
      return { type: 'failed' }
    })
  }

  async function poll(job: FollowedJob, signal: AbortSignal): Promise<ConnectionEvent> {
    const { location, cursor } = job
    // A header is small: all of it is simpler than what changed.
    const url = documentUrl(location, parts, parts === 'all' ? cursor : undefined)
    const answer = await options.request(url, { signal }, environment, (found, date) => {
      const name = options.nameOf(found)
      if (!name) return undefined
      serverClock.setRoughly(date)
      signal.throwIfAborted()
      hear(job, name, found)
      const { status } = (name === 'patch' ? (found as Patch).job : found) as JobHeader
      if (isTerminalStatus(status)) hear(job, 'end', { reason: status })
      return { type: 'polled' }
    })
    const refused = answer.type === 'failed' && statusOfRefusal(answer.status)
    // Any other failure is about the server.
    if (!refused) return answer
    // Another with the same id may have a better token.
    if (job.isRefused !== undefined) finish(job, refused)
    else {
      job.isRefused = true
      clock.setTimeout(() => {
        job.isRefused &&= false
        if (jobs.has(job)) restartSoon()
      }, ASK_AGAIN_MS)
    }
    return { type: 'polled' }
  }

  return {
    facts: () => ({
      connection: isOriginRefused ? 'origin-refused' : connection.status,
      now: serverClock.now(),
      lastSeen,
    }),
    join(job) {
      const fits = jobs.size < options.mostJobs
      if (fits) {
        jobs.add(job)
        restartSoon()
      }
      return fits
    },
    leave(job) {
      if (!jobs.delete(job)) return
      if (jobs.size > 0) restartSoon()
      else connection.stop()
    },
    restart: restartSoon,
  }
}
