import { formatCursor } from '../../shared/document/cursor.ts'
import { mergeHeader } from '../../shared/document/fold.ts'
import type { JobHeader, Patch } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { isJob } from '../../shared/wire/answers.ts'
import type { EndData, PingData } from '../../shared/wire/messages.ts'
import { progressPath } from '../../shared/wire/paths.ts'
import type { JobFacts } from '../text/words.ts'
import { createConnection } from './connection.ts'
import {
  type ConnectionEvent,
  type ConnectionStatus,
  statusOfEnd,
  statusOfRefusal,
  transition,
} from './connection-state.ts'
import type { Environment } from './environment.ts'
import { documentUrl, type JobLocation } from './job-url.ts'
import { isThereForAll, tellOriginRefused } from './origin-refusal.ts'
import { createServerClock } from './server-clock.ts'
import { requestJson, takeMessages } from './transport.ts'

/** A job on a shared stream, and its state. */
export interface FollowedJob {
  readonly location: JobLocation
  readonly environment: Environment
  header?: JobHeader
  /** Why following has ended; `undefined` while it goes on. */
  over?: ConnectionStatus
  /** Whether an `end` once came before the final state. From then on each stream starts with a snapshot of it. */
  isInDoubt?: boolean
  /**
   * Whether the server refused this job, which leaves it out of the stream; `false` once the stream includes it again, until it is heard. A
   * second refusal is believed.
   */
  isRefused?: boolean | undefined
  /** Called after any of this, or the connection, has changed. */
  changed(): void
}

/**
 * One stream of the headers of many jobs. Browsers open six HTTP/1.1 connections to a server, all tabs together: a page with one for
 * each job would block everything else.
 */
export interface HeaderStream {
  /** The status of the connection, and the server's clock. */
  facts(): Pick<JobFacts, 'connection' | 'now' | 'lastSeen'>
  /** Follows a job, if it is on this server and there is room. Returns whether it does. */
  join(job: FollowedJob): boolean
  leave(job: FollowedJob): void
}

/** Jobs on one stream: each is in the stream's URL with its token, and servers accept 16 KiB of URL. */
const MOST_JOBS = 40
/** Jobs that are added or removed within this time change the stream once: milliseconds. */
const GATHER_MS = 20
/** How long a refused job is left out before it is asked for again: a server that is being deployed may refuse for a moment. */
const ASK_AGAIN_MS = 3_000

type Message =
  | { name: 'snapshot'; data: JobHeader }
  | { name: 'patch'; data: Patch }
  | { name: 'ping'; data: PingData }
  | { name: 'end'; data: EndData }
const MESSAGE_NAMES: readonly Message['name'][] = ['snapshot', 'patch', 'ping', 'end']

/**
 * A stream from the server of a job, shared with jobs of the same kind of access, by token or by cookie: a request with tokens ignores the cookie.
 */
export function createHeaderStream({ location: { base, token }, environment }: FollowedJob): HeaderStream {
  const { clock } = environment
  const serverClock = createServerClock(clock)
  /** The jobs that have not ended. */
  const jobs = new Set<FollowedJob>()
  let lastSeen: number | undefined
  /** Messages received so far. */
  let heard = 0
  let isOriginRefused = false
  let isGathering = false

  const connection = createConnection({
    environment,
    policy: transition,
    cursor: 'any',
    async open(_cursor, attempt) {
      const { EventSource } = environment
      // Without a job the stream would follow all jobs.
      if (EventSource && streamed().length > 0) takeMessages(new EventSource(streamUrl()), MESSAGE_NAMES, attempt)
      return undefined
    },
    poll: (_cursor, { signal }) => pollAll(signal).catch(() => explain(signal)),
    receive(name, data) {
      heard += 1
      for (const job of jobs) {
        // The server accepts whatever is in the stream.
        job.isRefused ||= undefined
        if (job.location.id === (data as { jobId?: string }).jobId) hear(job, { name, data } as Message)
      }
      if (name === 'ping') serverClock.set((data as PingData).at)
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
    if (isGathering) return
    isGathering = true
    clock.setTimeout(() => {
      isGathering = false
      connection.stop()
      if (streamed().length > 0) connection.start()
    }, GATHER_MS)
  }

  function streamUrl(): string {
    const query = new URLSearchParams({ parts: 'header' })
    for (const { location, header, isInDoubt } of streamed()) {
      query.append('job', header && !isInDoubt ? `${location.id}@${formatCursor(header)}` : location.id)
      if (location.token) query.append('token', location.token)
    }
    return `${base}/${progressPath}?${query}`
  }

  function hear(job: FollowedJob, { name, data }: Message): void {
    if (name === 'snapshot') take(job, data, true)
    if (name === 'patch') take(job, mergeHeader(job.header ?? {}, data.job))
    if (name === 'end') {
      const status = statusOfEnd(data.reason)
      if (status !== 'ended' || (job.header && isTerminalStatus(job.header.status))) finish(job, status)
      // The final state is missing: another stream brings it. If this one was opened for that, it may be a hot loop.
      else if (job.isInDoubt) clock.setTimeout(restartSoon, ASK_AGAIN_MS)
      else {
        job.isInDoubt = true
        restartSoon()
      }
    }
  }

  /** @param isWhole it is the server's present state, even if its version is older, as after a restore */
  function take(job: FollowedJob, header: JobHeader, isWhole = false): void {
    const { header: before } = job
    job.isRefused = undefined
    if (before?.epoch === header.epoch) {
      const isSame = before.version === header.version && before.updatedAt === header.updatedAt
      if (isSame || (before.version >= header.version && !isWhole)) return
    }
    job.header = header
    serverClock.observe(header.updatedAt)
    job.changed()
  }

  function finish(job: FollowedJob, status: ConnectionStatus): void {
    jobs.delete(job)
    job.over = status
    job.changed()
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
    if (lastSeen !== undefined || !(await isThereForAll(base, environment, signal))) return { type: 'failed' }
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
    const before = heard
    const answer = await requestJson(documentUrl(job.location, 'header'), { signal }, environment, (header, date) => {
      if (!isJob(header)) return undefined
      serverClock.setRoughly(date)
      // A late answer may be older than what a stream has brought meanwhile.
      take(job, header, heard === before)
      if (isTerminalStatus(header.status)) finish(job, 'ended')
      return { type: 'polled' }
    })
    const refused = answer.type === 'failed' && statusOfRefusal(answer.status)
    // Any other failure is about the server.
    if (!refused) return answer
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
      const { location } = job
      const fits =
        job.environment === environment && location.base === base && !location.token === !token && jobs.size < MOST_JOBS
      if (fits) {
        jobs.add(job)
        restartSoon()
      }
      return fits
    },
    leave(job) {
      if (jobs.delete(job)) restartSoon()
    },
  }
}
