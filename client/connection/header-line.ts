import { formatCursor } from '../../shared/document/cursor.ts'
import { mergeHeader } from '../../shared/document/fold.ts'
import type { JobHeader, Patch } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { isJob } from '../../shared/wire/answers.ts'
import type { EndData, PingData } from '../../shared/wire/messages.ts'
import type { JobFacts } from '../text/words.ts'
import { ask, type Failure } from './ask.ts'
import type { ConnectionStatus } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { documentUrl, type JobLocation } from './job-location.ts'
import { keepLine, type Polled } from './keep-line.ts'
import { isThereForAll, tellOriginRefused } from './origin-refusal.ts'
import { createServerClock } from './server-clock.ts'

/** A job on a shared connection, and its state. */
export interface Followed {
  readonly location: JobLocation
  readonly environment: Environment
  header?: JobHeader
  /** Why following has ended; `undefined` while it goes on. */
  over?: ConnectionStatus
  /** Whether an `end` once came before the final state. From then on each stream starts with a snapshot of it. */
  isInDoubt?: boolean
  /** Whether the last answer refused this job. */
  isRefused?: boolean
  /** Called after any of this, or the connection, has changed. */
  changed(): void
}

/**
 * One connection for the headers of many jobs. Browsers open six HTTP/1.1 connections to a server, all tabs together: a page with one for
 * each job would block everything else.
 */
export interface HeaderLine {
  /** The status of the connection, and the server's clock. */
  facts(): Pick<JobFacts, 'connection' | 'now' | 'lastSeen'>
  /** Follows a job, if it is on this server and there is room. Returns whether it does. */
  join(job: Followed): boolean
  leave(job: Followed): void
}

/** Jobs on one connection: each is in the stream's URL with its token, and servers accept 16 KiB of URL. */
const MOST_JOBS = 40
/** Jobs that are added or removed within this time change the stream once: milliseconds. */
const GATHER_MS = 20
/** Refusals before they are believed: a server that is being deployed may refuse for a moment. */
const ASK_AGAIN_MS = 3_000

type Message =
  | { name: 'snapshot'; data: JobHeader }
  | { name: 'patch'; data: Patch }
  | { name: 'ping'; data: PingData }
  | { name: 'end'; data: EndData }
const MESSAGE_NAMES: readonly Message['name'][] = ['snapshot', 'patch', 'ping', 'end']

/**
 * A connection to the server of a job, shared with jobs of the same kind of access, by token or by cookie: a request with tokens ignores the cookie.
 */
export function createHeaderLine({ location: { base, token }, environment }: Followed): HeaderLine {
  const { clock } = environment
  const serverClock = createServerClock(clock)
  /** The jobs that have not ended. */
  const jobs = new Set<Followed>()
  let lastSeen: number | undefined
  /** Messages received so far. */
  let heard = 0
  let isOriginRefused = false
  let isGathering = false
  let status: ConnectionStatus = 'connecting'
  let stop: (() => void) | undefined

  const start = () =>
    keepLine({
      environment,
      names: MESSAGE_NAMES,
      open() {
        const { EventSource } = environment
        // Without a job the stream would follow all jobs.
        return EventSource && streamed().length > 0 ? new EventSource(streamUrl()) : undefined
      },
      async poll() {
        try {
          return await askAll()
        } catch {
          return askWhy()
        }
      },
      receive(name, data) {
        heard += 1
        for (const job of jobs) {
          if (job.location.id === (data as { jobId?: string }).jobId) hear(job, { name, data } as Message)
        }
        if (name === 'ping') serverClock.set((data as PingData).at)
      },
      onStatus: (now) => tell(isOriginRefused && now === 'reconnecting' ? 'origin-refused' : now),
      onHeard() {
        isOriginRefused = false
        lastSeen = serverClock.now()
      },
    })

  function tell(now: ConnectionStatus): void {
    if (status === now) return
    status = now
    for (const job of jobs) job.changed()
  }

  function restart(): void {
    stop?.()
    tell('connecting')
    if (streamed().length > 0) stop = start()
  }

  /** The jobs of the next stream, without those that were refused: they would fail the whole stream. */
  const streamed = () => [...jobs].filter(({ isRefused }) => !isRefused)

  function restartSoon(): void {
    if (isGathering) return
    isGathering = true
    clock.setTimeout(() => {
      isGathering = false
      restart()
    }, GATHER_MS)
  }

  function streamUrl(): string {
    const query = new URLSearchParams({ parts: 'header' })
    for (const { location, header, isInDoubt } of streamed()) {
      query.append('job', header && !isInDoubt ? `${location.id}@${formatCursor(header)}` : location.id)
      if (location.token) query.append('token', location.token)
    }
    return `${base}/api/progress?${query}`
  }

  function hear(job: Followed, { name, data }: Message): void {
    if (name === 'snapshot') take(job, data, true)
    else if (name === 'patch') take(job, mergeHeader(job.header ?? {}, data.job))
    else if (name === 'end') {
      const { reason } = data
      if (reason === 'deleted') finish(job, 'not-found')
      else if (reason === 'token-expired') finish(job, 'expired')
      else if (job.header && isTerminalStatus(job.header.status)) finish(job, 'ended')
      // The final state is missing: another stream brings it. If this one was opened for that, it may be a hot loop.
      else if (job.isInDoubt) clock.setTimeout(restartSoon, ASK_AGAIN_MS)
      else {
        job.isInDoubt = true
        restartSoon()
      }
    }
  }

  /** @param isWhole it is the server's present state, even if its version is older, as after a restore */
  function take(job: Followed, header: JobHeader, isWhole = false): void {
    const { header: before } = job
    job.isRefused = false
    if (before?.epoch === header.epoch) {
      const isSame = before.version === header.version && before.updatedAt === header.updatedAt
      if (isSame || (before.version >= header.version && !isWhole)) return
    }
    job.header = header
    serverClock.observe(header.updatedAt)
    job.changed()
  }

  function finish(job: Followed, status: ConnectionStatus): void {
    jobs.delete(job)
    job.over = status
    job.changed()
    if (streamed().length === 0) stop?.()
  }

  /** Polls each job: the fallback for streams. */
  async function askAll(): Promise<Polled | Failure> {
    const answers = await Promise.all([...jobs].map(askFor))
    // A refused job does not affect the others; other failures are left to the policy.
    return answers.find(({ type }) => type === 'failed') ?? answers[0] ?? { type: 'polled' }
  }

  /** Finds out why the server has never answered. */
  async function askWhy(): Promise<Polled | Failure> {
    if (lastSeen !== undefined || !(await isThereForAll(base, environment))) return { type: 'failed' }
    try {
      // The network may have been lost for a moment.
      return await askAll()
    } catch {
      isOriginRefused = true
      tellOriginRefused(base, environment)
      return { type: 'failed' }
    }
  }

  async function askFor(job: Followed): Promise<Polled | Failure> {
    const before = heard
    const answer = await ask(
      documentUrl(job.location, 'header'),
      {},
      environment,
      (header, date): Polled | undefined => {
        if (!isJob(header)) return undefined
        serverClock.setRoughly(date)
        // A late answer may be older than what a stream has brought meanwhile.
        take(job, header, heard === before)
        if (isTerminalStatus(header.status)) finish(job, 'ended')
        return { type: 'polled' }
      },
    )
    // Any other answer is about the server.
    if (answer.type !== 'failed' || ![401, 403, 404].includes(answer.status ?? 0)) return answer
    if (job.isRefused) finish(job, answer.status === 404 ? 'not-found' : 'expired')
    else {
      job.isRefused = true
      clock.setTimeout(() => {
        // Unless it is refused again, the next stream includes it.
        const goOn = () => {
          job.isRefused = false
          restartSoon()
        }
        if (jobs.has(job)) askFor(job).then(goOn, goOn)
      }, ASK_AGAIN_MS)
    }
    return { type: 'polled' }
  }

  return {
    facts: () => ({ connection: status, now: serverClock.now(), lastSeen }),
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
