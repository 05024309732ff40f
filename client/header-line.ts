import { isJob } from '../shared/answers.ts'
import { formatCursor } from '../shared/cursor.ts'
import { mergeHeader } from '../shared/fold.ts'
import type { JobHeader, Patch } from '../shared/job.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import type { EndData, PingData } from '../shared/wire.ts'
import { ask, type Failure } from './ask.ts'
import type { ConnectionStatus } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { documentUrl, type JobLocation } from './job-location.ts'
import { keepLine, type Polled } from './keep-line.ts'
import { isThereForAll, tellOriginRefused } from './origin-refusal.ts'
import { createServerClock } from './server-clock.ts'
import type { JobFacts } from './words.ts'

/** A job on a line: where it is, and what is known of it. */
export interface Followed {
  readonly location: JobLocation
  readonly environment: Environment
  header?: JobHeader
  /** Why there is nothing more to hear; left out while there may be. */
  over?: ConnectionStatus
  /** Whether it was once told of an end that does not fit what is here. From then on each stream tells all of it. */
  isInDoubt?: boolean
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
  /** How the line stands, and what time it is there. */
  facts(): Pick<JobFacts, 'connection' | 'now' | 'lastSeen'>
  /** Begins to follow a job, if it is of this server and there is room for it. Answers whether it does. */
  join(job: Followed): boolean
  leave(job: Followed): void
}

/** Jobs on one line: each, and its token, is named in the stream's URL, and servers take 16 KiB of that. */
const MOST_JOBS = 40
/** Jobs that come or go within this are one change of the stream: milliseconds. */
const GATHER_MS = 20
/** A refusal is believed the second time: a server that is being rolled out may refuse in passing. */
const ASK_AGAIN_MS = 3_000

type Message =
  | { name: 'snapshot'; data: JobHeader }
  | { name: 'patch'; data: Patch }
  | { name: 'ping'; data: PingData }
  | { name: 'end'; data: EndData }
const MESSAGE_NAMES: readonly Message['name'][] = ['snapshot', 'patch', 'ping', 'end']

/**
 * A line to the server of a job, for others that are seen as it is: by tokens, or not. A request that names tokens speaks for nobody else.
 */
export function createHeaderLine({ location: { base, token }, environment }: Followed): HeaderLine {
  const { clock } = environment
  const serverClock = createServerClock(clock)
  /** Those of which there is more to hear. */
  const jobs = new Set<Followed>()
  let lastSeen: number | undefined
  /** Messages that streams have brought. */
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
        // A stream that names no job would be one of all jobs.
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

  /** Those that a stream names. A job that was refused is left out of it: it would be refused for all. */
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
      // How it ended was not told: another stream does. If this one was opened for that, it may be one of a hot loop.
      else if (job.isInDoubt) clock.setTimeout(restartSoon, ASK_AGAIN_MS)
      else {
        job.isInDoubt = true
        restartSoon()
      }
    }
  }

  /** @param isWhole it is how the server has it now, though that be an older version: from a backup */
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

  /** Asks for each job by itself: what stands in for a stream that can't be had. */
  async function askAll(): Promise<Polled | Failure> {
    const answers = await Promise.all([...jobs].map(askFor))
    // That one job is refused is nothing to the others; what else goes wrong is for the policy to judge.
    return answers.find(({ type }) => type === 'failed') ?? answers[0] ?? { type: 'polled' }
  }

  /** Finds out why there was no answer, where there never was one. */
  async function askWhy(): Promise<Polled | Failure> {
    if (lastSeen !== undefined || !(await isThereForAll(base, environment))) return { type: 'failed' }
    try {
      // The network may have been away for a moment.
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
        // One that comes late may be older than what a stream has told meanwhile.
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
        // Unless it is refused again, and over, the stream names it with the others.
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
