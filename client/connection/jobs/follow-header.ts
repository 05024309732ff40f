import { formatCursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { mergeHeader } from '../../../shared/document/merge-header.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { Timer } from '../../../shared/time/clock.ts'
import { coarseTimeLeft, estimate } from '../../../shared/time/estimate.ts'
import { isJob } from '../../../shared/wire/answers.ts'
import type { EndData } from '../../../shared/wire/messages.ts'
import { createConnection, type Received } from '../connection.ts'
import { statusOfEnd, transition } from '../connection-state.ts'
import type { Environment } from '../environment.ts'
import type { JobFacts } from '../job-facts.ts'
import type { JobLocation } from '../job-url.ts'
import { requestJson, takeMessages } from '../transport.ts'
import { createJobStream, type FollowedJob, type JobStream } from './job-stream.ts'

const SECOND = 1_000
/** Jobs on one stream: each is in the stream's URL with its token, and servers accept 16 KiB of URL. */
const MAX_JOBS = 40

/** Stops following. */
interface Following {
  (): void
  /** Goes on with another token of the location. */
  restart(): void
}

/** What follows a whole document instead of its header. The code for that is loaded when it is needed. */
export interface WholeDocument {
  /** The names of its messages. */
  readonly messages: readonly string[]
  readonly job: JobHeader | undefined
  readonly cursor: string | undefined
  /** The name of the message that an answer to a poll is. */
  kindOf(answer: unknown): 'snapshot' | 'patch' | undefined
  /** Takes a message. */
  fold(name: string, data: unknown): Received
}

/**
 * Follows the header of a job. All jobs of one server on a page share a connection.
 *
 * @param show called with what is known: at once, then at most once a frame when it changed, and once a second while it may
 * @param renew replaces the token of `location` when it has ended. Resolves to whether it did
 * @param whole follows the whole document, of which `show` gets the header
 */
export function followHeader(
  location: JobLocation,
  environment: Environment,
  show: (facts: JobFacts) => void,
  renew?: () => Promise<boolean>,
  whole?: WholeDocument,
): Following {
  const { clock } = environment
  let header: JobHeader | undefined
  let timeLeft: number | undefined
  let callOff: (() => void) | undefined
  let timer: Timer | undefined
  let isFollowing = true

  const followed: FollowedJob = {
    location,
    get cursor() {
      return whole ? whole.cursor : header && formatCursor(header)
    },
    receive(name, data) {
      if (whole) {
        const received = whole.fold(name, data)
        if (whole.job) take(whole.job, true)
        return received
      }
      if (name === 'end') return endOf(header, data as EndData)
      if (name === 'snapshot') take(data as JobHeader, true)
      if (name === 'patch') take(mergeHeader(header ?? {}, (data as Patch).job))
      return {}
    },
    renew,
    changed() {
      // An answer may arrive after the follower has left.
      if (isFollowing) callOff ??= environment.frame(tell)
    },
  }
  const stream = joinStream(followed, environment, whole)

  /** @param isWhole it is the server's present state, even if its version is older, as after a restore */
  function take(next: JobHeader, isWhole = false): void {
    if (header?.epoch === next.epoch) {
      const isSame = header.version === next.version && header.updatedAt === next.updatedAt
      if (isSame || (header.version >= next.version && !isWhole)) return
    }
    header = next
    followed.changed()
  }
  function rest(): void {
    callOff?.()
    callOff = undefined
    clock.clearTimeout(timer)
  }
  function tell(): void {
    rest()
    const { over } = followed
    if (!over) timer = clock.setTimeout(tell, SECOND)
    const facts = stream.facts()
    const { rate, timeLeft: seconds } = estimate(header, facts.now)
    timeLeft = coarseTimeLeft(seconds, timeLeft)
    show({ ...facts, connection: over ?? facts.connection, job: header, rate, timeLeft })
  }
  tell()
  const stop = () => {
    isFollowing = false
    rest()
    stream.leave(followed)
  }
  return Object.assign(stop, { restart: stream.restart })
}

/** An `end` without the final state means that something is missing. */
function endOf(header: JobHeader | undefined, { reason }: EndData): Received {
  const isOver = statusOfEnd(reason) !== 'ended' || (header && isTerminalStatus(header.status))
  return isOver ? { ended: reason } : { gap: true }
}

const streams: [key: unknown[], stream: JobStream][] = []

/**
 * Adds a job to a stream that has room for it, of the same server and the same kind of access, by token or by cookie: a request with tokens
 * ignores the cookie.
 */
function joinStream(job: FollowedJob, environment: Environment, whole?: WholeDocument): JobStream {
  const { base, token } = job.location
  const key = [environment, base, !token, !whole]
  const known = streams.find(([other, stream]) => key.every((part, index) => part === other[index]) && stream.join(job))
  if (known) return known[1]
  const made = createJobStream({
    base,
    parts: whole ? 'all' : 'header',
    mostJobs: MAX_JOBS,
    policy: transition,
    connect: createConnection,
    async open(url, attempt) {
      const { EventSource } = environment
      if (EventSource)
        takeMessages(new EventSource(url), whole?.messages ?? ['snapshot', 'patch', 'ping', 'end'], attempt)
      return undefined
    },
    request: requestJson,
    originRefusal: () => import('../access/origin-refusal.ts'),
    nameOf: whole?.kindOf ?? ((answer) => (isJob(answer) ? 'snapshot' : undefined)),
    environment,
  })
  made.join(job)
  streams.push([key, made])
  return made
}
