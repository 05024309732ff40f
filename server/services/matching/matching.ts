import type { EventFields } from '../../../shared/document/events.ts'
import { type Clock, systemClock } from '../../../shared/time/clock.ts'
import { emitItem, emitLog, emitProgress, emitStep, type JobControl, noControl } from '../../jobs/emitter.ts'
import { countOf } from '../kit/amounts.ts'
import { createCheckpoint, createThrottle } from '../kit/checkpoint.ts'
import { largest } from '../kit/largest.ts'
import { Pace, type PaceOption, paceNote } from '../kit/pace.ts'
import { announceSteps, runSteps } from '../kit/steps.ts'
import { clip } from '../kit/untrusted-text.ts'
import { assignPairs, type Pair } from './assignment.ts'
import { NameIndex } from './name-index.ts'
import { type NamedRecord, type NameFile, readNames } from './name-list.ts'
import { nameSimilarity, WordWeights } from './similarity.ts'

interface MatchingOptions extends PaceOption {
  jobId: string
  control?: JobControl
  clock?: Clock
  /** Called with every link; the result has only those that people should check. */
  onLink?(link: Link): void
}

/** Two records of the same thing. */
export interface Link {
  left: NamedRecord
  right: NamedRecord
  /** 0 to 1. */
  confidence: number
}

/** The result of a matching. */
interface MatchingResult {
  left: { name: string; records: number }
  right: { name: string; records: number }
  linked: number
  /** Links whose names differ only in case, accents and punctuation. */
  exact: number
  /** The links with the lowest confidence, lowest first. */
  weakest: { left: string; right: string; confidence: number }[]
  /** Records without a link, the first of each list. */
  unlinkedLeft: string[]
  unlinkedRight: string[]
}

/**
 * Lowest confidence of a link. With lists that share two thirds of their records, false and missing links are equally frequent at this
 * value; it is also about where each name contains half of the other's weight.
 */
const MIN_CONFIDENCE = 0.6
/** Most candidates that are kept for a record. */
const FINALISTS = 5
const SHOWN = 20
const NAME_BYTES = 200
const NEWS_MS = 500

/**
 * Links the records of two CSV lists that have the same name, even if it is spelt differently. Each name is compared with those that
 * share the beginning of a word; of all pairs the surest are kept, one per record. Each record of the left list is an item: `succeeded`
 * with its link and the confidence, or `skipped`.
 *
 * @throws when a list is not CSV with a column of names, or when the job is to end
 * @example
 * ```ts
 * await matchRecords(customers, suppliers, { jobId, onLink: ({ left, right }) => merge(left.row, right.row) })
 * ```
 */
export async function matchRecords(left: NameFile, right: NameFile, options: MatchingOptions): Promise<MatchingResult> {
  const { jobId, control = noControl, clock = systemClock, onLink } = options
  const step = <T>(id: string, work: () => Promise<T>) => runSteps(jobId, [id], control, work)
  const checkpoint = createCheckpoint(control, clock)
  const isNews = createThrottle(NEWS_MS, clock)

  const read = async (file: NameFile) => {
    const records: NamedRecord[] = []
    for await (const record of readNames(file, checkpoint)) records.push(record)
    emitLog(jobId, { message: `${file.name}: ${countOf(records.length, 'record')}` })
    return records
  }

  announceSteps(jobId, {
    read: 'Read the lists',
    index: 'Index the names',
    compare: 'Compare them',
    link: 'Link the surest pairs',
    report: 'Report',
  })
  const [lefts, rights] = await step('read', async () => [await read(left), await read(right)] as const)

  const { index, weights } = await step('index', async () => {
    const index = new NameIndex()
    const weights = new WordWeights()
    for (const { words } of lefts) {
      weights.add(words)
      await checkpoint()
    }
    for (const [place, { words }] of rights.entries()) {
      weights.add(words)
      index.add(place, words)
      await checkpoint()
    }
    return { index, weights }
  })

  const pairs = await step('compare', async () => {
    const pace = Pace.over(options.paceSeconds, lefts.length, clock)
    emitLog(jobId, { message: `Comparing ${countOf(lefts.length, 'record')}${paceNote(options)}` })
    const found: Pair[] = []
    for (const [place, record] of lefts.entries()) {
      await pace?.take(1, control.signal)
      const candidates = Array.from(index.candidates(record.words), (other) => ({
        left: place,
        right: other,
        score: nameSimilarity(record.words, rights[other]?.words ?? [], weights),
      }))
      const finalists = largest(candidates, FINALISTS, ({ score }) => score)
      found.push(...finalists.filter(({ score }) => score >= MIN_CONFIDENCE))
      emitItem(jobId, {
        id: itemId(record.row),
        label: shown(record),
        status: 'running',
        ...likeliest(finalists[0], rights),
      })
      const done = place + 1
      emitProgress(jobId, { done, total: lefts.length, unit: 'records' })
      if (done === lefts.length || isNews()) emitStep(jobId, { id: 'compare', done, total: lefts.length })
      await checkpoint()
    }
    return found
  })

  const links = await step('link', async () => {
    const byLeft = new Map((await assignPairs(pairs, checkpoint)).map((pair) => [pair.left, pair]))
    const made: Link[] = []
    for (const [place, record] of lefts.entries()) {
      const pair = byLeft.get(place)
      const other = pair && rights[pair.right]
      if (pair && other) made.push({ left: record, right: other, confidence: pair.score })
      emitItem(jobId, { id: itemId(record.row), ...outcome(pair, other) })
      await checkpoint()
    }
    return made
  })

  return step('report', async () => {
    let exact = 0
    for (const link of links) {
      onLink?.(link)
      if (link.left.words.join(' ') === link.right.words.join(' ')) exact += 1
      await checkpoint()
    }
    emitLog(jobId, { message: `${links.length} of ${countOf(lefts.length, 'record')} linked` })
    const linked = new Set<NamedRecord>()
    for (const { left, right } of links) linked.add(left).add(right)
    await checkpoint()
    const unlinked = (records: NamedRecord[]) =>
      records
        .filter((record) => !linked.has(record))
        .slice(0, SHOWN)
        .map(shown)
    return {
      left: { name: clip(left.name, NAME_BYTES), records: lefts.length },
      right: { name: clip(right.name, NAME_BYTES), records: rights.length },
      linked: links.length,
      exact,
      weakest: largest(links, SHOWN, ({ confidence }) => -confidence).map((link) => ({
        left: shown(link.left),
        right: shown(link.right),
        confidence: percent(link.confidence),
      })),
      unlinkedLeft: unlinked(lefts),
      unlinkedRight: unlinked(rights),
    }
  })
}

const itemId = (row: number) => `row ${row}`
const percent = (confidence: number) => Math.round(confidence * 100)

function withConfidence(record: NamedRecord, score: number): string {
  return `${shown(record)} (${percent(score)}\u00a0%)`
}

function shown({ name, row }: NamedRecord): string {
  return name === '' ? `(row ${row}, no name)` : clip(name, NAME_BYTES)
}

/** The best candidate of a record so far: another record may get it. */
function likeliest(pair: Pair | undefined, rights: readonly NamedRecord[]): { message?: string } {
  const other = pair && pair.score >= MIN_CONFIDENCE && rights[pair.right]
  return other ? { message: withConfidence(other, pair.score) } : {}
}

/** The outcome for a record, as the fields of its item. */
function outcome(pair: Pair | undefined, other: NamedRecord | undefined): Omit<EventFields<'item'>, 'id'> {
  if (!pair || !other) return { status: 'skipped', message: 'No name in the other list is like it' }
  return { status: 'succeeded', progress: percent(pair.score), message: withConfidence(other, pair.score) }
}
