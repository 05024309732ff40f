import type { JobFacts } from '../../../client/connection/job-facts.ts'
import { english } from '../../../client/text/language.ts'
import { describeJob, type Tone } from '../../../client/text/words.ts'
import type { Item, ItemStatus, Job, Step } from '../../../shared/document/job.ts'
import { countItems } from '../../../shared/document/selectors.ts'
import { englishFormat, fit, pad, plain } from '../remote/plain-text.ts'

/** A job, and what is known beside it. */
export type WatchedJob = Omit<JobFacts, 'job'> & { job: Job | undefined }

/** Where a job is drawn. */
interface Canvas {
  columns: number
  /** The most lines. */
  rows: number
  hasColor: boolean
}

const BAR_COLUMNS = 24
const STEP_BAR_COLUMNS = 12
const STEP_COLUMNS = 28
const MOST_STEPS = 8
const MOST_ITEMS = 4
const MOST_FAILURES = 3

/** SGR parameters (ECMA-48, 8.3.117). */
const COLORS = { bold: '1', dim: '2', running: '36', done: '32', failed: '31', attention: '33', neutral: '0' }
const MARKS: Record<ItemStatus, [mark: string, tone: Tone]> = {
  pending: ['·', 'neutral'],
  running: ['▸', 'running'],
  succeeded: ['✓', 'done'],
  failed: ['✗', 'failed'],
  skipped: ['-', 'neutral'],
}

/** A job as lines for a terminal: its state, bar, steps, items and failures. Pure; no line is wider than the canvas. */
export function drawJob(known: WatchedJob, canvas: Canvas): string[] {
  const { job } = known
  const paint = (text: string, color: keyof typeof COLORS) =>
    canvas.hasColor && color !== 'neutral' ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text
  const room = (used: string) => canvas.columns - Bun.stringWidth(used)
  const words = describeJob(known, englishFormat)
  const chip = words.chip ?? words.line
  const lines = [
    job
      ? `${paint(chip, words.tone)}  ${paint(fit(plain(job.title), room(`${chip}  `)), 'bold')}`
      : paint(fit(chip, canvas.columns), words.tone),
  ]
  if (!job) return lines

  // The words of a job that has ended say the percent where it matters.
  const share = job.endedAt === undefined && words.percent !== undefined && englishFormat.percent(words.percent)
  const text = [share, words.line, words.aside]
  const said = [...new Set(text.filter(Boolean))].map((part) => plain(`${part}`)).join(' · ')
  const bar = words.percent === undefined ? '' : `${barOf(words.percent, BAR_COLUMNS)}  `
  lines.push(`${paint(bar, words.tone)}${fit(said, room(bar))}`)
  const { message } = job.progress
  if (message) lines.push(paint(fit(`  ${plain(message)}`, canvas.columns), 'dim'))

  const row = (status: ItemStatus, rest: string) => {
    const [mark, tone] = MARKS[status]
    return `${paint(mark, tone)} ${fit(rest, canvas.columns - 2)}`
  }
  const steps = pick(job.steps, MOST_STEPS)
  lines.push(...steps.map((step) => row(step.status, describeStep(step))))
  if (job.steps.length > steps.length) lines.push(paint(`  … ${job.steps.length - steps.length} more steps`, 'dim'))

  const running = job.items.filter(({ status }) => status === 'running').slice(0, MOST_ITEMS)
  lines.push(...running.map((item) => row('running', describeItem(item))))
  const counts = describeCounts(job)
  if (counts) lines.push(paint(fit(`  ${counts}`, canvas.columns), 'dim'))

  const failures = [
    ...job.items.filter(({ status }) => status === 'failed').map((item) => describeItem(item)),
    ...job.errors.map((error) => plain(error.message)),
  ]
  lines.push(...failures.slice(-MOST_FAILURES).map((failure) => row('failed', failure)))
  if (failures.length > MOST_FAILURES) lines.push(paint(`  … ${failures.length - MOST_FAILURES} more failures`, 'dim'))
  return lines.slice(0, Math.max(1, canvas.rows))
}

/** `━━━━━━──────` */
function barOf(percent: number, columns: number): string {
  const full = Math.floor((percent / 100) * columns)
  return '━'.repeat(full) + '─'.repeat(columns - full)
}

/** The steps to show where there are too many: from the first that has not ended, or the last ones. */
function pick(steps: readonly Step[], most: number): readonly Step[] {
  const open = steps.findIndex(({ status }) => status === 'running' || status === 'pending')
  const from = Math.min(open === -1 ? steps.length : Math.max(0, open - 1), steps.length - most)
  return steps.slice(Math.max(0, from)).slice(0, most)
}

function describeStep({ id, label, status, done, total, message }: Step): string {
  const name = plain(label ?? id)
  if (done === undefined && !message) return name
  const share = total ? Math.min(100, ((done ?? 0) * 100) / total) : undefined
  const bar = share !== undefined && status === 'running' ? `${barOf(share, STEP_BAR_COLUMNS)} ` : ''
  const amount =
    done === undefined
      ? ''
      : total
        ? englishFormat.amountOf(done, total, undefined)
        : englishFormat.amount(done, undefined)
  return `${pad(name, STEP_COLUMNS)}  ${bar}${[amount, message && plain(message)].filter(Boolean).join(' · ')}`
}

function describeItem({ id, label, progress, message, error }: Item): string {
  const about = error ?? message
  const share = progress === undefined || error !== undefined ? '' : ` ${englishFormat.percent(progress)}`
  return `${plain(label ?? id)}${share}${about === undefined ? '' : `: ${plain(about)}`}`
}

/** `3 running, 12 done, 2 failed of 40 items` */
function describeCounts(job: Job): string | undefined {
  const all = countItems(job)
  if (all === 0) return undefined
  const counts = Object.entries(job.itemCounts).filter(([, count]) => count > 0)
  const named = counts.map(
    ([status, count]) => `${englishFormat.number(count)} ${english.rows[status as ItemStatus].toLowerCase()}`,
  )
  return `${named.join(', ')} of ${englishFormat.amount(all, 'items')}`
}
