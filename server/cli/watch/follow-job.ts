import { type ConnectionStatus, statusOfRefusal } from '../../../client/connection/connection-state.ts'
import type { Environment } from '../../../client/connection/environment.ts'
import { parseJobAddress } from '../../../client/connection/job-url.ts'
import { type JobMessage, JobReplica } from '../../../client/connection/jobs/job-replica.ts'
import type { FollowedJob } from '../../../client/connection/jobs/job-stream.ts'
import { joinJobStream } from '../../../client/connection/jobs/job-streams.ts'
import { systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { coarseTimeLeft, estimate } from '../../../shared/time/estimate.ts'
import type { ManyJobs } from '../../../shared/wire/messages.ts'
import type { RemoteServer } from '../remote/access.ts'
import type { WatchedJob } from './draw-job.ts'

/** How often changes are shown, at most: milliseconds. */
const FRAME_MS = 100
/** Refusals of the token in a row after which it counts as expired. The first may be of one that is renewed by now. */
const MAX_REFUSALS = 3

/** A command line has no page and no tabs. */
const environment: Environment = {
  fetch: (url, init) => fetch(url, init),
  clock: systemClock,
  random: systemRandom,
  frame(run) {
    const timer = setTimeout(run, FRAME_MS)
    return () => clearTimeout(timer)
  },
}

/** Receives what is known of a job. */
interface Viewer {
  /** Each message, as it arrived. */
  message(name: string, data: object): void
  /** Called after changes, some at once. */
  change(): void
}

/** Whether a connection is not tried again. */
const isFinal = (status: ConnectionStatus) => status === 'ended' || status === 'not-found' || status === 'expired'

/** A job that is followed, over disconnects, until its end. */
interface FollowedUntilEnd {
  known(): WatchedJob
  /** Resolves when there is nothing to follow any more: the connection of {@link known} says why. */
  readonly over: Promise<void>
}

/** Follows a job with the client's own connection. */
export function followJob({ url, getToken }: RemoteServer, jobId: string, viewer: Viewer): FollowedUntilEnd {
  const address = parseJobAddress({ jobId, baseUrl: url.href, getToken })
  const replica = new JobReplica()
  const over = Promise.withResolvers<void>()
  let timeLeft: number | undefined
  let callOff: (() => void) | undefined
  const show = () => {
    callOff = undefined
    viewer.change()
  }
  const followed: FollowedJob = {
    location: address.location,
    get cursor() {
      return replica.cursor
    },
    receive(name, data) {
      if (name === 'ping') return {}
      const { jobId: _, cursor: __, ...message } = data as ManyJobs
      const received = replica.receive({ event: name, data: message } as unknown as JobMessage)
      viewer.message(name, message)
      followed.changed()
      return received
    },
    changed() {
      callOff ??= environment.frame(show)
      if (!isFinal(followed.over ?? stream.facts().connection)) return
      callOff()
      show()
      over.resolve()
    },
  }
  let refusals = 0
  const countingRefusals: Environment = {
    ...environment,
    async fetch(url, init) {
      const response = await environment.fetch(url, init)
      refusals = statusOfRefusal(response.status) === 'expired' ? refusals + 1 : 0
      if (refusals === MAX_REFUSALS) {
        followed.over = 'expired'
        followed.changed()
      }
      return response
    },
  }
  const stream = joinJobStream(followed, address, countingRefusals)
  return {
    known() {
      const facts = stream.facts()
      const { job } = replica
      const { rate, timeLeft: seconds } = estimate(job, facts.now)
      timeLeft = coarseTimeLeft(seconds, timeLeft)
      return { ...facts, connection: followed.over ?? facts.connection, job, rate, timeLeft }
    },
    over: over.promise,
  }
}
