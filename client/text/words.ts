import type { JobHeader } from '../../shared/document/job.ts'
import {
  countItems,
  getAmount,
  getProgressPercent,
  isStalled,
  isTerminalStatus,
} from '../../shared/document/selectors.ts'
import type { JobFacts } from '../connection/job-facts.ts'
import type { Format } from './format.ts'
import type { JobState } from './job-language.ts'
import type { Language } from './language.ts'

/** The meaning of a colour: `running` the accent, `done`, `failed`, `attention`; `neutral` for what waits or was stopped. */
export type Tone = 'running' | 'done' | 'failed' | 'attention' | 'neutral'

/** The texts of a job. */
export interface JobWords {
  state: JobState
  tone: Tone
  /** The text of the chip; a job that can't be shown has none. */
  chip: string | undefined
  /** The line under the bar. */
  line: string
  /** The text at the end of the line: the time left, or the percent. */
  aside: string | undefined
  /** The text of the link to the failed items, if there are any. */
  action: string | undefined
  /** The bar: 0 to 100, or `undefined` when the total is unknown. */
  percent: number | undefined
  /** Everything as one sentence, for `aria-valuetext` and live regions. */
  sentence: string
}

/** All others are neutral. */
const TONES: Partial<Record<JobState, Tone>> = {
  unreachable: 'attention',
  running: 'running',
  asking: 'attention',
  stalled: 'attention',
  completed: 'done',
  'completed-with-failures': 'attention',
  failed: 'failed',
}

/** Describes a job in words. Pure. */
export function describeJob(facts: JobFacts, format: Format): JobWords {
  const { job } = facts
  const state = getJobState(facts)
  const [line, aside, action] = describeState(state, facts, format)
  return {
    state,
    tone: TONES[state] ?? 'neutral',
    chip: format.language.chips[state],
    line,
    aside,
    action,
    percent: job && getProgressPercent(job),
    sentence: aside === undefined ? line : format.language.lineAndAside(line, aside),
  }
}

/** The state of a job as people see it. A lost connection does not change it. */
function getJobState({ job, connection, now, lastSeen }: JobFacts): JobState {
  if (connection === 'not-found' || connection === 'expired') return connection
  if (!job && connection === 'origin-refused') return connection
  if (!job) return connection === 'connecting' || connection === 'live' ? 'connecting' : 'unreachable'
  const { status } = job
  if (status === 'completed' && getFailed(job) > 0) return 'completed-with-failures'
  if (isTerminalStatus(status)) return status
  if (job.cancelRequested) return 'cancelling'
  if (status !== 'running') return status === 'pending' ? 'waiting' : status
  if (job.openAsks) return 'asking'
  // Silence of the job can't be told from silence of the connection.
  const isLost = connection === 'reconnecting' || connection === 'offline'
  return isStalled(job, isLost ? (lastSeen ?? now) : now) ? 'stalled' : 'running'
}

/** Failed units: the producer's count, at least the failed items. */
function getFailed({ progress, itemCounts }: JobHeader): number {
  return Math.max(progress.failed ?? 0, itemCounts.failed)
}

/** Succeeded units: never more than the total without the failed, even if a producer counted an item twice. */
function getUnfailed(job: JobHeader): number {
  const { succeeded, failed = 0, unit } = job.progress
  // Bytes can't be counted together with items that failed.
  const { done, total = 0 } = getAmount(unit === 'bytes' && !failed ? { ...job, progress: { done: 0 } } : job)
  const all = succeeded === undefined ? done : Math.max(done, total, countItems(job), succeeded + failed)
  return Math.min(succeeded ?? all, Math.max(0, all - getFailed(job)))
}

/** The line, the text at its end, and the text of the link. */
type Lines = [line: string, aside?: string | undefined, action?: string]

function describeState(state: JobState, facts: JobFacts, format: Format): Lines {
  const { language, roughDuration } = format
  const { job, connection, now, lastSeen } = facts
  if (state === 'not-found') return [language.notFound]
  if (state === 'expired') return [language.expired]
  if (state === 'origin-refused') return [language.originRefused]
  if (!job)
    return [connection === 'offline' ? language.offline : language[state === 'connecting' ? state : 'unreachable']]
  const share = getProgressPercent(job)
  const percent = share === undefined ? undefined : format.percent(share)
  if (isTerminalStatus(job.status)) return describeEnd(state, job, percent, format)
  if (connection === 'offline') {
    return [lastSeen ? language.offlineSince(format.time(lastSeen, now)) : language.offline, percent]
  }
  if (connection === 'reconnecting' && lastSeen) return [language.lastSeen(roughDuration(now - lastSeen)), percent]
  switch (state) {
    case 'cancelling':
      return [language.cancelling, percent]
    case 'waiting':
      return [language.waiting]
    case 'paused':
      return [percent ? language.pausedAt(percent) : language.paused]
    case 'asking':
      return [job.asks?.findLast(({ answer, expired }) => !answer && !expired)?.message ?? '', percent]
    case 'stalled':
      return [language.noNews(roughDuration(now - Date.parse(job.lastEventAt))), percent]
    default:
      return describeRun(job, facts, percent, format)
  }
}

function describeRun(job: JobHeader, { rate, timeLeft }: JobFacts, percent: string | undefined, format: Format): Lines {
  const { language } = format
  const { done, total, unit } = getAmount(job)
  // A total of 0 is no total; without an amount the steps may give a percent.
  if (!total) return [(done === 0 && percent) || language.doneSoFar(format.amount(done, unit))]
  const progress = format.amountOf(done, total, unit)
  return [
    rate === undefined ? progress : language.progressAndRate(progress, format.rate(rate, unit)),
    timeLeft === undefined ? undefined : describeTimeLeft(timeLeft, format),
  ]
}

/** Time left in coarse words: `about 4 min left`. */
function describeTimeLeft(seconds: number, { language, duration }: Format): string {
  return seconds < 10 ? language.momentsLeft : language.aboutLeft(duration(seconds * 1_000))
}

function describeEnd(state: JobState, job: JobHeader, percent: string | undefined, format: Format): Lines {
  const { language, number } = format
  if (state === 'failed') return [job.message || language[state], percent && language.at(percent)]
  if (state === 'cancelled') return [percent ? language.cancelledAt(percent) : language[state]]
  const { done, total = 0, unit } = getAmount(job)
  const failed = getFailed(job)
  if (failed > 0) {
    return [language.doneAndFailed(number(getUnfailed(job)), number(failed)), undefined, language.showFailures]
  }
  const duration = format.duration(getRunTime(job))
  if (done === 0) return [language.finishedIn(duration)]
  const amount = done < total ? format.amountOf(done, total, unit) : format.amount(done, unit)
  return [language.doneIn(amount, duration)]
}

/** From the start to the end, in milliseconds; 0 for a job that has not ended. */
function getRunTime(job: JobHeader): number {
  const { createdAt, startedAt = createdAt, endedAt = startedAt } = job
  return Math.max(0, Date.parse(endedAt) - Date.parse(startedAt))
}

/** When a job began, or ended and how long it took: `started 6 min ago`, `2 min ago, took 3 s`. */
export function describeAge(job: JobHeader, now: number, format: Format<Language>): string {
  const { language } = format
  const age = (moment: string) => format.roughDuration(now - Date.parse(moment))
  if (job.endedAt !== undefined) {
    const ended = now - Date.parse(job.endedAt) < 1_000 ? language.justNow : language.ago(age(job.endedAt))
    return language.endedAndTook(ended, format.duration(getRunTime(job)))
  }
  if (job.startedAt !== undefined) return language.startedAgo(age(job.startedAt))
  return language.createdAgo(age(job.createdAt))
}
