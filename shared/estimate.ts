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
  /** The interval that is being measured: what was done when it began, and the seconds at work since. */
  readonly open: { readonly done: number; readonly seconds: number }
  /** What was measured: seconds at work, and intervals with progress. */
  readonly measured: { readonly seconds: number; readonly intervals: number }
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
  open: { done: 0, seconds: 0 },
  measured: { seconds: 0, intervals: 0 },
  gap: nothing,
  fast: nothing,
  slow: nothing,
}

/** The shortest interval that is measured, in seconds: below it, distances are mostly the jitter of clocks and frames. */
const SHORTEST = 0.5
/** What has to be measured before anything is said. */
const ENOUGH = { seconds: 4, intervals: 4 }
/** How far back the averages look: in seconds at least, and in gaps at least, so that bursts average out. */
const MEMORY = { seconds: 10, gaps: 5 }
/** The silence after which nothing is said any more: in seconds at least, and in gaps at least. */
const SILENCE = { seconds: 10, gaps: 4 }
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
  const { newest, open } = estimate
  if (!newest || sample.done < newest.done) {
    return { ...emptyEstimate, newest: sample, open: { done: sample.done, seconds: 0 } }
  }
  const at = Math.max(newest.at, sample.at)
  const seconds = open.seconds + secondsAtWork(newest, at)
  const next = { ...estimate, newest: { ...sample, at }, open: { done: open.done, seconds } }
  return sample.done === open.done || seconds < SHORTEST ? next : closeInterval(next)
}

/** Seconds of work from a sample to a moment. */
function secondsAtWork(from: Sample, to: number): number {
  return from.working ? Math.max(0, to - from.at) / 1_000 : 0
}

function closeInterval(estimate: Estimate & { newest: Sample }): Estimate {
  const { newest, open, measured } = estimate
  const gap = add(estimate.gap, open.seconds, Math.exp(-open.seconds / memoryOf(estimate)))
  const keep = Math.exp(-open.seconds / memoryOf({ gap }))
  const fast = add(estimate.fast, (newest.done - open.done) / open.seconds, keep)
  return {
    newest,
    open: { done: newest.done, seconds: 0 },
    measured: { seconds: measured.seconds + open.seconds, intervals: measured.intervals + 1 },
    gap,
    fast,
    slow: add(estimate.slow, mean(fast), keep),
  }
}

/** Seconds over which the averages forget about two thirds of what they knew. */
function memoryOf({ gap }: Pick<Estimate, 'gap'>): number {
  return Math.max(MEMORY.seconds, MEMORY.gaps * mean(gap))
}

/** Seconds at work without progress, up to a moment. */
function silenceOf({ newest, open }: Estimate, now: number): number {
  return open.seconds + (newest ? secondsAtWork(newest, now) : 0)
}

/**
 * Units per second, or `undefined` while too little is known: at the start, at rest, and after a long silence. A silence that is longer
 * than usual counts as time in which nothing was done.
 *
 * @param now milliseconds since the epoch, by the clock of the samples
 */
export function getRate(estimate: Estimate, now: number): number | undefined {
  const { measured, newest } = estimate
  if (!newest?.working || measured.seconds < ENOUGH.seconds || measured.intervals < ENOUGH.intervals) return undefined
  const gap = mean(estimate.gap)
  const silence = silenceOf(estimate, now)
  if (silence > Math.max(SILENCE.seconds, SILENCE.gaps * gap)) return undefined
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
  const { newest } = estimate
  if (!rate || newest?.total === undefined || newest.done >= newest.total) return undefined
  const slow = mean(estimate.slow)
  if (Math.abs(mean(estimate.fast) - slow) > STEADY * slow) return undefined
  // Between two signs of progress the work goes on as usual.
  const since = Math.min(silenceOf(estimate, now), mean(estimate.gap))
  return finite(Math.max(0, (newest.total - newest.done) / rate - since))
}

/** Amounts may be as large as numbers are: what overflows is not known. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The steps in which time left is told: seconds, and up to which time left. */
const STEPS: readonly { below: number; step: number }[] = [
  { below: 10, step: 5 },
  { below: 55, step: 10 },
  { below: 10 * MINUTE, step: MINUTE },
  { below: HOUR, step: 5 * MINUTE },
  { below: 4 * HOUR, step: 15 * MINUTE },
  { below: DAY, step: HOUR },
  { below: Number.POSITIVE_INFINITY, step: DAY },
]

/**
 * Time left as it is told to people: in steps that grow with it, and not another one before it is well past the one that is shown.
 *
 * @param shown what was told last
 */
export function coarseTimeLeft(seconds: number | undefined, shown: number | undefined): number | undefined {
  if (seconds === undefined) return undefined
  const step = STEPS.find(({ below }) => seconds < below)?.step ?? DAY
  if (shown !== undefined && Math.abs(seconds - shown) < 0.75 * step) return shown
  return Math.max(step, Math.round(seconds / step) * step)
}
