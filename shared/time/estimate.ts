import type { JobHeader } from '../document/job.ts'
import { getAmount } from '../document/selectors.ts'

/** How far a job was at a moment. */
export interface Sample {
  /** Milliseconds since the epoch, by the server's clock. */
  at: number
  done: number
  /** `undefined` when unknown. */
  total: number | undefined
  /** Whether the job was running from then on. Time at rest is not counted. */
  working: boolean
}

/** The pace that samples show. Plain data, made by {@link emptyEstimate} and {@link addSample} alone. */
export interface Estimate {
  readonly newest: Sample | undefined
  /** The amount at the start of the current interval, and the working seconds since. */
  readonly from: number
  readonly seconds: number
  /** Measured so far: working seconds, and intervals with progress. */
  readonly measured: number
  readonly intervals: number
  /** Mean gap between signs of progress, weighted by its length: seconds. */
  readonly gap: Average
  /** Units per second, smoothed once and twice. */
  readonly fast: Average
  readonly slow: Average
}

/** An exponential average, weighted by duration. */
interface Average {
  readonly sum: number
  readonly weight: number
}

const nothing: Average = { sum: 0, weight: 0 }
const mean = ({ sum, weight }: Average) => (weight > 0 ? sum / weight : 0)

/** @param keep weight of the past, 0 to 1 */
const add = ({ sum, weight }: Average, value: number, keep: number): Average => ({
  sum: sum * keep + value * (1 - keep),
  weight: weight * keep + (1 - keep),
})

/** An estimate without samples. */
export const emptyEstimate: Estimate = {
  newest: undefined,
  from: 0,
  seconds: 0,
  measured: 0,
  intervals: 0,
  gap: nothing,
  fast: nothing,
  slow: nothing,
}

/** The shortest interval that is measured, in seconds: shorter ones are mostly jitter of clocks and frames. */
const SHORTEST = 0.5
/** Seconds and intervals to measure before there is an estimate. */
const ENOUGH = 4
/** The window of the averages, and the silence that counts as a pause: at least this many seconds… */
const SECONDS = 10
/** …and this many gaps at least, so that bursts average out. */
const MEMORY_GAPS = 5
const SILENCE_GAPS = 4
/** The largest distance of the two averages while the pace is steady, as a share of the slow one. */
const STEADY = 0.4

/** The sample that a document is: its amount, at the time of its last event. */
export function sampleOf(job: Pick<JobHeader, 'progress' | 'itemCounts' | 'lastEventAt' | 'status'>): Sample {
  const { done, total } = getAmount(job)
  return { at: Date.parse(job.lastEventAt), done, total, working: job.status === 'running' }
}

/**
 * The estimate after one more sample. Pure, of constant cost.
 *
 * Rates are smoothed exponentially, twice, weighted by duration, so jitter, bursts and the spacing of samples hardly move them. When the
 * amount goes back, the estimate starts anew.
 */
export function addSample(estimate: Estimate, sample: Sample): Estimate {
  const { newest, from } = estimate
  const { done } = sample
  if (!newest || done < newest.done) return { ...emptyEstimate, newest: sample, from: done }
  const at = Math.max(newest.at, sample.at)
  const seconds = silenceOf(estimate, at)
  const next = { ...estimate, newest: { ...sample, at }, seconds }
  if (done === from || seconds < SHORTEST) return next
  const gap = add(estimate.gap, seconds, Math.exp(-seconds / memoryOf(estimate)))
  const keep = Math.exp(-seconds / memoryOf({ gap }))
  const fast = add(estimate.fast, (done - from) / seconds, keep)
  return {
    ...next,
    from: done,
    seconds: 0,
    measured: estimate.measured + seconds,
    intervals: estimate.intervals + 1,
    gap,
    fast,
    slow: add(estimate.slow, mean(fast), keep),
  }
}

/** The time constant of the averages: seconds. */
function memoryOf({ gap }: Pick<Estimate, 'gap'>): number {
  return Math.max(SECONDS, MEMORY_GAPS * mean(gap))
}

/** Working seconds without progress, up to a moment. */
function silenceOf({ newest, seconds }: Estimate, now: number): number {
  return seconds + (newest?.working ? Math.max(0, now - newest.at) / 1_000 : 0)
}

/**
 * Units per second, or `undefined` while too little is known: at the start, at rest, and after a long silence. A silence that is longer
 * than usual counts as time without progress.
 *
 * @param now milliseconds since the epoch, by the clock of the samples
 */
export function getRate(estimate: Estimate, now: number): number | undefined {
  const { measured, intervals, newest } = estimate
  if (!newest?.working || measured < ENOUGH || intervals < ENOUGH) return undefined
  const gap = mean(estimate.gap)
  const silence = silenceOf(estimate, now)
  if (silence > Math.max(SECONDS, SILENCE_GAPS * gap)) return undefined
  const unusual = Math.max(0, silence - Math.max(SHORTEST, gap))
  return finite(mean(estimate.slow) * Math.exp(-unusual / memoryOf(estimate)))
}

/**
 * Seconds until everything is done, or `undefined` when it can't be told: the total is unknown, the pace is not steady, or there is no
 * rate (see {@link getRate}).
 *
 * @param now milliseconds since the epoch, by the clock of the samples
 */
export function getTimeLeft(estimate: Estimate, now: number): number | undefined {
  const rate = getRate(estimate, now)
  const { done = 0, total = 0 } = estimate.newest ?? {}
  if (!rate || done >= total) return undefined
  const slow = mean(estimate.slow)
  if (Math.abs(mean(estimate.fast) - slow) > STEADY * slow) return undefined
  // Within a usual gap the work is assumed to go on.
  const since = Math.min(silenceOf(estimate, now), mean(estimate.gap))
  return finite(Math.max(0, (total - done) / rate - since))
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
