import { formatCursor } from '../shared/cursor.ts'
import { mergeHeader } from '../shared/fold.ts'
import type { JobHeader, Patch } from '../shared/job.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import type { EndReason, PingData } from '../shared/wire.ts'
import { ask } from './ask.ts'
import { createConnection } from './connection.ts'
import type { ConnectionEvent, ConnectionPolicy, ConnectionStatus } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { listenTo } from './event-source-stream.ts'
import { documentUrl, type JobLocation } from './job-location.ts'
import { keepLine } from './line-policy.ts'
import { ServerClock } from './server-clock.ts'

/** A job on a line: where it is, and what is known of it. */
export interface Followed {
  readonly location: JobLocation
  header?: JobHeader
  /** Why there is nothing more to hear; left out while there may be. */
  over?: ConnectionStatus
  /** Whether the last answer refused this job. */
  isRefused?: boolean
  /** Called after any of this, or anything about the line, changed. */
  changed(): void
}

/**
 * One connection for the headers of many jobs. A browser gives a server six connections, all tabs together: a page that took one for
 * each job it shows would leave none for anything else.
 */
export interface HeaderLine {
  readonly status: ConnectionStatus
  readonly serverClock: ServerClock
  /** When the server was last heard, by its own clock: milliseconds since the epoch. */
  readonly lastSeen: number | undefined
  /** Begins to follow a job, if it has room for it and the job is of this server. Answers whether it does. */
  join(job: Followed): boolean
  leave(job: Followed): void
}

/** Jobs on one line: each, and its token, is named in the stream's URL, and servers take 16 KiB of that. */
const MOST_JOBS = 40
/** Jobs that come or go within this are one change of the stream: milliseconds. */
const GATHER_MS = 20
/** A refusal is believed the second time: a server that is being rolled out may refuse in passing. */
const ASK_AGAIN_MS = 3_000

const MESSAGE_NAMES = ['snapshot', 'patch', 'ping', 'end'] as const

type Message = { jobId: string } & (
  | { event: 'snapshot'; data: JobHeader }
  | { event: 'patch'; data: Patch }
  | { event: 'end'; data: { reason: EndReason } }
)

/** What the server says of its jobs decides about those, and not about the line. */
const policy: ConnectionPolicy = (state, event, now, random) => {
  const draft = { ...state }
  return [draft, keepLine(draft, event, now, random)]
}

/**
 * A line to a server, for jobs that are seen by tokens, or for those that are not: a request that names tokens speaks for nobody else.
 *
 * @param base where the server is mounted, without a slash at its end
 */
export function createHeaderLine(base: string, hasTokens: boolean, environment: Environment): HeaderLine {
  const { clock } = environment
  const serverClock = new ServerClock(clock)
  const jobs = new Set<Followed>()
  let lastSeen: number | undefined
  let isGathering = false

  const connection = createConnection({
    environment,
    policy,
    async stream(_, attempt) {
      const { EventSource } = environment
      if (EventSource) listenTo(new EventSource(streamUrl()), MESSAGE_NAMES, attempt)
      return undefined
    },
    poll: askAll,
    // Where each job is stands in the URL.
    cursor: 'headers',
    receive(event, data) {
      if (event === 'ping') serverClock.set((data as PingData).at)
      else receive({ event, data, jobId: (data as { jobId: string }).jobId } as Message)
      return { type: 'message' }
    },
    onStatus() {
      for (const job of live()) job.changed()
    },
    onHeard() {
      lastSeen = serverClock.now()
    },
  })

  function live(): Followed[] {
    return [...jobs].filter(({ over }) => !over)
  }

  /** Those that a stream names. A job that was refused is left out of it: it would be refused for all. */
  function streamed(): Followed[] {
    return live().filter(({ isRefused }) => !isRefused)
  }

  function restartSoon(): void {
    if (isGathering) return
    isGathering = true
    clock.setTimeout(() => {
      isGathering = false
      connection.stop()
      if (streamed().length > 0) connection.start()
    }, GATHER_MS)
  }

  function stopIfIdle(): void {
    if (streamed().length === 0) connection.stop()
  }

  function streamUrl(): string {
    const query = new URLSearchParams({ parts: 'header' })
    for (const { location, header } of streamed()) {
      query.append('job', header ? `${location.id}@${formatCursor(header)}` : location.id)
      if (location.token) query.append('token', location.token)
    }
    return `${base}/api/progress?${query}`
  }

  function receive({ event, data, jobId }: Message): void {
    for (const job of live()) {
      if (job.location.id !== jobId) continue
      if (event === 'end') end(job, data.reason)
      else take(job, event === 'patch' ? mergeHeader(job.header ?? {}, data.job) : data)
    }
  }

  function take(job: Followed, header: JobHeader): void {
    const { header: before } = job
    job.isRefused = false
    if (before?.epoch === header.epoch && before.version >= header.version) return
    job.header = header
    serverClock.observe(header.updatedAt)
    job.changed()
  }

  function end(job: Followed, reason: EndReason): void {
    if (reason === 'deleted') finish(job, 'not-found')
    else if (reason === 'token-expired') finish(job, 'expired')
    else if (job.header && isTerminalStatus(job.header.status)) finish(job, 'ended')
    // How it ended was not told: another stream does.
    else restartSoon()
  }

  function finish(job: Followed, status: ConnectionStatus): void {
    job.over = status
    job.changed()
    stopIfIdle()
  }

  /** Asks for each job by itself: what stands in for a stream that can't be had. */
  async function askAll(): Promise<ConnectionEvent | undefined> {
    const answers = await Promise.all(live().map(askFor))
    stopIfIdle()
    // That one job is refused is nothing to the others; what else goes wrong is for the policy to judge.
    return answers.find(({ type }) => type === 'failed') ?? answers[0]
  }

  async function askFor(job: Followed): Promise<ConnectionEvent> {
    const answer = await ask(documentUrl(job.location, 'header'), {}, environment, (header) => {
      take(job, header as JobHeader)
      if (isTerminalStatus((header as JobHeader).status)) finish(job, 'ended')
      return { type: 'polled' }
    })
    if (answer.type !== 'failed' || !isRefusal(answer.status)) return answer
    if (job.isRefused) finish(job, answer.status === 404 ? 'not-found' : 'expired')
    else {
      job.isRefused = true
      clock.setTimeout(() => {
        if (jobs.has(job)) askFor(job).then(restartSoon, restartSoon)
      }, ASK_AGAIN_MS)
    }
    return { type: 'polled' }
  }

  return {
    serverClock,
    get status() {
      return connection.status
    },
    get lastSeen() {
      return lastSeen
    },
    join(job) {
      const { location } = job
      const fits = location.base === base && !location.token === !hasTokens && jobs.size < MOST_JOBS
      if (fits) {
        jobs.add(job)
        restartSoon()
      }
      return fits
    },
    leave(job) {
      jobs.delete(job)
      if (!job.over) restartSoon()
    },
  }
}

/** Whether a status is about the job that was asked for, and not about the server. */
function isRefusal(status: number | undefined): boolean {
  return status === 401 || status === 403 || status === 404
}
