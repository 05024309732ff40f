import { isWaiting } from './asks.ts'
import type { JobHeader, JobPace, PatchHeader } from './job.ts'
import { getAmount, isTerminalStatus } from './selectors.ts'

/** Most samples of a job. */
const PACE_SAMPLES = 8
/** The newest sample is replaced until it is this far from the one before it: milliseconds. */
export const PACE_STEP_MS = 500
/** The samples reach at least this far back, if they need not reach farther to be {@link PACE_SAMPLES}: milliseconds. */
const PACE_WINDOW_MS = 240_000

/** Whether the time that passes is time at work. */
export const isWorking = (job: Pick<JobHeader, 'status' | 'openAsks'>): boolean =>
  job.status === 'running' && !isWaiting(job)

/**
 * The samples of a job after an event that may have changed its amount or its status. `undefined` for none.
 *
 * It runs on server and clients, so it uses no function that engines of JavaScript may compute differently, such as `Math.exp`.
 *
 * @param after the header after the event, with the samples from before it
 */
export function paceAfter(before: JobHeader, after: PatchHeader): JobPace | undefined {
  const { pace } = before
  if (isTerminalStatus(after.status) || after.attempt !== before.attempt) return undefined
  const works = isWorking(after)
  const worked = isWorking(before)
  const { done, total, unit } = getAmount(after)
  const known = getAmount(before)
  // Nothing before the first amount counts: a job that was resumed elsewhere begins with what had been done there.
  const begins = pace
    ? done < known.done || unit !== known.unit
    : after.progress !== before.progress || after.itemCounts !== before.itemCounts
  if (begins) return works ? { since: momentOf(after.updatedAt), samples: [[0, done]] } : undefined
  if (!pace || (done === known.done && total === known.total && works === worked)) return pace
  const samples = pace.samples.slice()
  const last = samples.length - 1
  const newest = samples[last]?.[0] ?? 0
  const moment = momentOf(after.updatedAt)
  const since = works && !worked ? moment - newest : pace.since
  // What changes at rest took no time.
  const at = worked && moment - since > newest ? asInteger(moment - since) : newest
  const isSettled = at > newest && newest - (samples[last - 1]?.[0] ?? -PACE_STEP_MS) >= PACE_STEP_MS
  const grown = (samples[last]?.[2] ?? 0) + (total && known.total ? total - known.total : 0)
  samples[isSettled ? last + 1 : last] = grown === 0 ? [at, done] : [at, done, grown]
  if (samples.length > PACE_SAMPLES) samples.splice(needless(samples), 1)
  return { since, samples }
}

/** The same number, not as a floating-point one if it has 31 bits: JavaScriptCore writes such numbers as JSON in half the time. */
const asInteger = (value: number): number => (value <= 0x7fff_ffff ? value | 0 : value)

let parsed = { text: '', moment: 0 }

/** Parses an instant. The events of one batch, and of those that are applied within a millisecond, have the same. */
function momentOf(text: string): number {
  if (text !== parsed.text) parsed = { text, moment: Date.parse(text) }
  return parsed.moment
}

/** The sample to drop: the oldest, if the others reach far enough; else the one that leaves the smallest hole for its age. */
function needless(samples: JobPace['samples']): number {
  const age = (index: number) => (samples.at(-1)?.[0] ?? 0) - (samples[index]?.[0] ?? 0)
  if (age(1) >= PACE_WINDOW_MS) return 0
  let dropped = 1
  const hole = (index: number) => (age(index - 1) - age(index + 1)) / (age(index + 1) + PACE_STEP_MS)
  for (let index = 2; index < samples.length - 1; index++) if (hole(index) < hole(dropped)) dropped = index
  return dropped
}
