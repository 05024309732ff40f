import type { Timer } from '../../shared/time/clock.ts'
import { addSample, coarseTimeLeft, emptyEstimate, getRate, getTimeLeft, sampleOf } from '../../shared/time/estimate.ts'
import type { JobFacts } from '../text/words.ts'
import type { Environment } from './environment.ts'
import { createHeaderStream, type FollowedJob, type HeaderStream } from './header-stream.ts'
import type { JobLocation } from './job-url.ts'

const SECOND = 1_000

/**
 * Follows the header of a job. All jobs of one server on a page share a connection.
 *
 * @param show called with what is known: at once, then at most once a frame when it changed, and once a second while it may
 * @returns a function that stops following
 */
export function followHeader(
  location: JobLocation,
  environment: Environment,
  show: (facts: JobFacts) => void,
): () => void {
  const { clock } = environment
  let estimate = emptyEstimate
  let timeLeft: number | undefined
  let callOff: (() => void) | undefined
  let timer: Timer | undefined
  let isFollowing = true

  const followed: FollowedJob = {
    location,
    environment,
    changed() {
      if (followed.header) estimate = addSample(estimate, sampleOf(followed.header))
      // An answer may arrive after the follower has left.
      if (isFollowing) callOff ??= environment.frame(tell)
    },
  }
  const stream = joinStream(followed)

  function rest(): void {
    callOff?.()
    callOff = undefined
    clock.clearTimeout(timer)
  }
  function tell(): void {
    rest()
    const { header, over } = followed
    if (!over) timer = clock.setTimeout(tell, SECOND)
    const facts = stream.facts()
    timeLeft = coarseTimeLeft(getTimeLeft(estimate, facts.now), timeLeft)
    const rate = getRate(estimate, facts.now)
    show({ ...facts, connection: over ?? facts.connection, job: header, rate, timeLeft })
  }
  tell()
  return () => {
    isFollowing = false
    rest()
    stream.leave(followed)
  }
}

const streams: HeaderStream[] = []

/** Adds a job to a stream that has room for it. */
function joinStream(job: FollowedJob): HeaderStream {
  const known = streams.find((stream) => stream.join(job))
  if (known) return known
  const made = createHeaderStream(job)
  made.join(job)
  streams.push(made)
  return made
}
