import type { Timer } from '../shared/clock.ts'
import { addSample, coarseTimeLeft, emptyEstimate, getRate, getTimeLeft, sampleOf } from '../shared/estimate.ts'
import type { Environment } from './environment.ts'
import { createHeaderLine, type Followed, type HeaderLine } from './header-line.ts'
import type { JobLocation } from './job-location.ts'
import type { JobFacts } from './words.ts'

const SECOND = 1_000

/**
 * Follows a job without its rows. All that a page follows of one server share a connection.
 *
 * @param show told what is known: at once, then once a frame at most when it changed, and once a second for as long as it may
 * @returns lets go of the job
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

  const followed: Followed = {
    location,
    environment,
    changed() {
      if (followed.header) estimate = addSample(estimate, sampleOf(followed.header))
      // An answer may come after whom it was for has left.
      if (isFollowing) callOff ??= environment.frame(tell)
    },
  }
  const line = joinLine(followed)

  function rest(): void {
    callOff?.()
    callOff = undefined
    clock.clearTimeout(timer)
  }
  function tell(): void {
    rest()
    const { header, over } = followed
    if (!over) timer = clock.setTimeout(tell, SECOND)
    const facts = line.facts()
    timeLeft = coarseTimeLeft(getTimeLeft(estimate, facts.now), timeLeft)
    const rate = getRate(estimate, facts.now)
    show({ ...facts, connection: over ?? facts.connection, job: header, rate, timeLeft })
  }
  tell()
  return () => {
    isFollowing = false
    rest()
    line.leave(followed)
  }
}

const lines: HeaderLine[] = []

/** Puts a job on a line that has room for it. */
function joinLine(job: Followed): HeaderLine {
  const known = lines.find((line) => line.join(job))
  if (known) return known
  const made = createHeaderLine(job)
  made.join(job)
  lines.push(made)
  return made
}
