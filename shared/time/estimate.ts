import type { JobHeader } from '../document/job.ts'
import { isWorking, PACE_STEP_MS } from '../document/pace.ts'
import { getAmount } from '../document/selectors.ts'

/** What an estimate is made from: a header, or a part of it. */
type Estimated = Pick<JobHeader, 'status' | 'openAsks' | 'progress' | 'itemCounts' | 'pace'>

const SHORTEST = PACE_STEP_MS / 1_000
/** Seconds and intervals to measure before there is an estimate. */
const ENOUGH = 4
/** The window of the averages, and the silence that counts as a pause: at least this many seconds… */
const SECONDS = 10
/** …and this many gaps at least, so that bursts average out… */
const MEMORY_GAPS = 5
const SILENCE_GAPS = 4
/** …and this share of the time that was measured, because long work has slow waves. */
const MEMORY_SHARE = 1 / 8
/** The largest distance of the two averages while the pace is steady, as a share of the slow one. */
const STEADY = 0.4
/** The largest growth of the total from which an end can be told, as a share of the rate. */
const GROWING = 0.5

/** How fast a job is, and how long it will take. */
interface Estimate {
  /**
   * Units per second; `undefined` while too little is known: at the start, at rest, and after a long silence. A silence that is longer than
   * usual counts as time without progress.
   */
  rate?: number | undefined
  /**
   * Seconds until everything is done; `undefined` when it can't be told: without a rate, while the total is unknown or grows about as fast as
   * the work, and while the pace is not steady.
   */
  timeLeft?: number | undefined
}

/**
 * The estimate that a document shows.
 *
 * The rate is the average of the paces between its samples, weighted by their ages, so jitter, bursts and the spacing of samples hardly move it.
 *
 * @param job nothing is known of `undefined`
 * @param now milliseconds since the epoch by the server's clock, which reaches watchers in `ping.at`
 */
export function estimate(job: Estimated | undefined, now: number): Estimate {
  const pace = job?.pace
  if (!pace || !isWorking(job)) return {}
  const { samples } = pace
  /** What came between a sample and the one before it. */
  const step = (index: number) => {
    const [at = 0, done = 0, growth = 0] = samples[index] ?? []
    const [earlier = 0, less = 0, before = 0] = samples[index - 1] ?? []
    return { seconds: (at - earlier) / 1_000, more: done - less, grown: growth - before }
  }
  let last = samples.length - 1
  const silence = Math.max(0, (now - pace.since - (samples[last]?.[0] ?? 0)) / 1_000)
  // The newest sample may be the first of a burst, the time before which is not measured yet.
  if (step(last).seconds < SHORTEST) last -= 1
  const measured = ((samples[last]?.[0] ?? 0) - (samples[0]?.[0] ?? 0)) / 1_000
  const gap = [0, 1, 2].map((back) => step(last - back).seconds).sort((a, b) => a - b)[1] ?? 0
  if (measured < ENOUGH || last < ENOUGH || silence > Math.max(SECONDS, SILENCE_GAPS * gap)) return {}
  const memory = Math.max(SECONDS, MEMORY_GAPS * gap, MEMORY_SHARE * measured)
  // Averages over the age x, of weights e^-x and x e^-x.
  let [age, fast, slow, growth] = [0, 0, 0, 0]
  for (let index = last; index > 0; index--) {
    const { seconds, more, grown } = step(index)
    const older = age + seconds / memory
    const [young, old] = [Math.exp(-age), Math.exp(-older)]
    fast += ((young - old) * more) / seconds
    slow += (((1 + age) * young - (1 + older) * old) * more) / seconds
    growth += ((young - old) * grown) / seconds
    age = older
  }
  const weight = 1 - Math.exp(-age)
  slow /= 1 - (1 + age) * Math.exp(-age)
  const unusual = Math.max(0, silence - Math.max(SHORTEST, gap))
  const rate = slow * Math.exp(-unusual / memory)
  const { done, total = 0 } = getAmount(job)
  growth = Math.max(0, growth / weight)
  const isSteady = Math.abs(fast / weight - slow) <= STEADY * slow
  if (!rate || done >= total || !isSteady || growth > GROWING * rate) return { rate }
  // Within a usual gap the work is assumed to go on.
  return { rate, timeLeft: finite(Math.max(0, (total - done) / (rate - growth) - Math.min(silence, gap))) }
}

/** Overflow counts as unknown. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Steps in which the time left is rounded, by the largest time that they apply to: seconds. Longer times are rounded to days. */
const STEPS: readonly (readonly [below: number, step: number])[] = [
  [10, 5],
  [55, 10],
  [10 * MINUTE, MINUTE],
  [HOUR, 5 * MINUTE],
  [4 * HOUR, 15 * MINUTE],
  [DAY, HOUR],
]

/**
 * Time left for people: rounded to steps that grow with it, with hysteresis around the step that is shown.
 *
 * @param shown the step that is shown now
 */
export function coarseTimeLeft(seconds: number | undefined, shown: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  const [, step] = STEPS.find(([below]) => seconds < below) ?? [0, DAY]
  if (shown !== undefined && Math.abs(seconds - shown) < 0.75 * step) return shown
  return Math.max(step, Math.round(seconds / step) * step)
}
