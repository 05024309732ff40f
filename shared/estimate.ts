import type { JobHeader } from './job.ts'
import { getAmount } from './selectors.ts'

/** How far a job was at a moment. */
export interface Sample {
  /** Milliseconds since the epoch, by the server's clock. */
  at: number
  done: number
  /** `undefined` when nobody knows. */
  total: number | undefined
  /** Whether the job was at work from then on. Time at rest counts for nothing. */
  working: boolean
}

/** What a run of samples says of the pace. Plain data, made by {@link emptyEstimate} and {@link addSample} alone. */
export interface Estimate {
  readonly newest: Sample | undefined
  /** What was done when the interval began that is being measured, and the seconds at work since. */
  readonly from: number
  readonly seconds: number
  /** What was measured: seconds at work, and intervals with progress. */
  readonly measured: number
  readonly intervals: number
  /** Seconds between two signs of progress, as one who looks at a random moment meets them. */
  readonly gap: Average
  /** Units per second, smoothed once and twice. */
  readonly fast: Average
  readonly slow: Average
}

/** An exponential average in which values count by the time that they lasted. */
interface Average {
  readonly sum: number
  readonly weight: number
}

const nothing: Average = { sum: 0, weight: 0 }
const mean = ({ sum, weight }: Average) => (weight > 0 ? sum / weight : 0)

/** @param keep what the past still counts, 0 to 1 */
const add = ({ sum, weight }: Average, value: number, keep: number): Average => ({
  sum: sum * keep + value * (1 - keep),
  weight: weight * keep + (1 - keep),
})

/** An estimate that knows nothing yet. */
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

/** The shortest interval that is measured, in seconds: below it, distances are mostly the jitter of clocks and frames. */
const SHORTEST = 0.5
/** What has to be measured before anything is said: seconds, and intervals. */
const ENOUGH = 4
/** Averages look back, and silence counts as a pause, for this many seconds at least… */
const SECONDS = 10
/** …and this many gaps at least, so that bursts average out. */
const GAPS = { memory: 5, silence: 4 }
/** How far apart the two averages are at most while the pace is steady, as a share of the slow one. */
const STEADY = 0.4

/** The sample that a document is: its amount, at the time of its last event. */
export function sampleOf(job: Pick<JobHeader, 'progress' | 'itemCounts' | 'lastEventAt' | 'status'>): Sample {
  const { done, total } = getAmount(job)
  return { at: Date.parse(job.lastEventAt), done, total, working: job.status === 'running' }
}

/**
 * The estimate after one more sample. Pure, of constant cost.
 *
 * Rates are smoothed exponentially by the time that they lasted, twice; so neither jitter, nor bursts, nor the distance of the
 * samples sways them. A job that goes back begins anew.
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

/** Seconds over which the averages forget about two thirds of what they knew. */
function memoryOf({ gap }: Pick<Estimate, 'gap'>): number {
  return Math.max(SECONDS, GAPS.memory * mean(gap))
}

/** Seconds at work without progress, up to a moment. */
function silenceOf({ newest, seconds }: Estimate, now: number): number {
  return seconds + (newest?.working ? Math.max(0, now - newest.at) / 1_000 : 0)
}

/**
 * Units per second, or `undefined` while too little is known: at the start, at rest, and after a long silence. A silence that is longer
 * than usual counts as time in which nothing was done.
 *
 * @param now milliseconds since the epoch, by the clock of the samples
 */
export function getRate(estimate: Estimate, now: number): number | undefined {
  const { measured, intervals, newest } = estimate
  if (!newest?.working || measured < ENOUGH || intervals < ENOUGH) return undefined
  const gap = mean(estimate.gap)
  const silence = silenceOf(estimate, now)
  if (silence > Math.max(SECONDS, GAPS.silence * gap)) return undefined
  const unusual = Math.max(0, silence - Math.max(SHORTEST, gap))
  return finite(mean(estimate.slow) * Math.exp(-unusual / memoryOf(estimate)))
}

/**
 * Seconds until everything is done, or `undefined` when nobody can tell: the total is unknown, the pace is not steady, or there is no
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
  // Between two signs of progress the work goes on as usual.
  const since = Math.min(silenceOf(estimate, now), mean(estimate.gap))
  return finite(Math.max(0, (total - done) / rate - since))
}

/** Amounts may be as large as numbers are: what overflows is not known. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Up to which time left, in seconds, it is told in which steps. What is longer is told in days. */
const STEPS: readonly (readonly [below: number, step: number])[] = [
  [10, 5],
  [55, 10],
  [10 * MINUTE, MINUTE],
  [HOUR, 5 * MINUTE],
  [4 * HOUR, 15 * MINUTE],
  [DAY, HOUR],
]

/**
 * Time left as it is told to people: in steps that grow with it, and not another one before it is well past the one that is shown.
 *
 * @param shown what was told last
 */
export function coarseTimeLeft(seconds: number | undefined, shown: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  const [, step] = STEPS.find(([below]) => seconds < below) ?? [0, DAY]
  if (shown !== undefined && Math.abs(seconds - shown) < 0.75 * step) return shown
  return Math.max(step, Math.round(seconds / step) * step)
}
