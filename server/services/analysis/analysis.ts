import { type Clock, systemClock } from '../../../shared/time/clock.ts'
import { emitError, emitItem, emitLog, emitProgress, emitStep, type JobControl, noControl } from '../../jobs/emitter.ts'
import { countOf, formatBytes } from '../kit/amounts.ts'
import { createCheckpoint, createThrottle } from '../kit/checkpoint.ts'
import { largest } from '../kit/largest.ts'
import { Pace, type PaceOption, paceNote } from '../kit/pace.ts'
import { announceSteps, runSteps } from '../kit/steps.ts'
import { clip, itemId, reasonOf } from '../kit/untrusted-text.ts'
import { readText } from '../kit/utf8.ts'
import { splitWords } from './split-words.ts'
import { type FileTally, type WordCount, WordTally } from './word-tally.ts'

/** A text file that is read once, as a stream. */
export interface CorpusFile {
  name: string
  /** Bytes. */
  size: number
  stream(): ReadableStream<Uint8Array>
}

interface AnalysisOptions extends PaceOption {
  jobId: string
  control?: JobControl
  clock?: Clock
}

/** The result of an analysis. */
interface AnalysisResult {
  files: number
  failed: number
  bytes: number
  words: number
  /** Different words. */
  distinct: number
  /** Whether rare words were dropped, because there were too many: then counts are too low. */
  approximate: boolean
  /** The most frequent words, most frequent first. */
  top: WordCount[]
  /** The longest words, longest first. */
  longest: string[]
  /** The largest files, largest first; `typical` is the word with the highest tf–idf. */
  table: { name: string; bytes: number; words: number; distinct: number; typical: string | undefined }[]
}

const TOP = 30
const LONGEST = 10
const TABLE = 50
/** Interval of events with counts: milliseconds. */
const NEWS_MS = 500

/**
 * Counts the words of a corpus. Files are streams through a decoder, a tokeniser and a tally, so no file is in memory as a whole. Each
 * file is an item; one that can't be read or is not text is `failed`, and the others continue.
 *
 * @throws when all files failed, or when the job is to end
 * @example
 * ```ts
 * const { top } = await analyseTexts(files, { jobId })
 * ```
 */
export async function analyseTexts(files: readonly CorpusFile[], options: AnalysisOptions): Promise<AnalysisResult> {
  const { jobId, control = noControl, clock = systemClock } = options
  const step = <T>(ids: string[], work: () => Promise<T>) => runSteps(jobId, ids, control, work)
  const checkpoint = createCheckpoint(control, clock)
  const isNews = createThrottle(NEWS_MS, clock)
  const tally = new WordTally(checkpoint)
  const tallies = new Map<CorpusFile, FileTally>()
  const tabled = new Set(largest(files, TABLE, ({ size }) => size))
  const total = files.reduce((sum, { size }) => sum + size, 0)
  const pace = Pace.over(options.paceSeconds, total, clock)
  let bytes = 0
  let words = 0
  let failed = 0

  const reportCounts = () => {
    emitStep(jobId, { id: 'read', done: bytes, total })
    emitStep(jobId, { id: 'tokenise', done: words })
    emitStep(jobId, { id: 'count', done: tally.distinct })
  }

  const analyseFile = async (file: CorpusFile, id: string) => {
    emitItem(jobId, { id, status: 'running' })
    const before = bytes
    const content = file.stream()
    const text = readText(pace ? paced(content, pace, control.signal) : content, (more) => {
      bytes += more
      emitProgress(jobId, { done: bytes, total, unit: 'bytes' })
    })
    try {
      for await (const found of splitWords(text)) {
        await tally.add(found)
        words += found.length
        if (isNews()) {
          reportCounts()
          emitItem(jobId, { id, progress: Math.min(99, Math.floor(((bytes - before) / file.size) * 100)) })
        }
        await checkpoint()
      }
      const counted = await tally.endFile()
      if (tabled.has(file)) tallies.set(file, counted)
      const message = `${countOf(counted.words, 'word')}, ${counted.distinct.toLocaleString('en')} different`
      emitItem(jobId, { id, status: 'succeeded', progress: 100, message })
    } catch (error) {
      if (control.signal.aborted) {
        emitItem(jobId, { id, status: 'pending', progress: null })
        throw error
      }
      tally.dropFile()
      failed += 1
      // The rest of this file counts as read, so that the progress still ends at the total.
      bytes = before + file.size
      const reason = reasonOf(error)
      emitItem(jobId, { id, status: 'failed', progress: null, error: reason })
      emitError(jobId, { message: `${file.name}: ${reason}`, itemId: id })
    }
  }

  announceSteps(jobId, {
    read: 'Read the files',
    tokenise: 'Find the words',
    count: 'Count them',
    rank: 'Rank them',
    report: 'Report',
  })
  emitLog(jobId, { message: `${countOf(files.length, 'file')}, ${formatBytes(total)}${paceNote(options)}` })
  const items = files.map((file, place) => ({ file, id: itemId(file.name, place) }))
  for (const { file, id } of items) {
    emitItem(jobId, { id, status: 'pending', message: formatBytes(file.size) })
    await checkpoint()
  }
  // One pass over the streams does all three.
  await step(['read', 'tokenise', 'count'], async () => {
    for (const { file, id } of items) await analyseFile(file, id)
    reportCounts()
    if (failed === files.length) throw new Error('None of the files is text that can be read.')
  })
  const ranked = await step(['rank'], async () => {
    const top = tally.top(TOP)
    await checkpoint()
    const longest = tally.longest(LONGEST)
    await checkpoint()
    const table = [...tabled].flatMap((file) => {
      const counted = tallies.get(file)
      if (!counted) return []
      const { words, distinct } = counted
      return { name: clip(file.name, 200), bytes: file.size, words, distinct, typical: tally.typical(counted) }
    })
    return { top, longest, table }
  })
  return step(['report'], async () => {
    const { distinct, approximate } = tally
    emitLog(jobId, { message: `${countOf(tally.words, 'word')}, ${countOf(distinct, 'different word')}` })
    if (approximate) {
      emitLog(jobId, { message: 'Too many different words: the rarest were left out of the counts', level: 'warn' })
    }
    return { files: files.length, failed, bytes, words: tally.words, distinct, approximate, ...ranked }
  })
}

async function* paced(content: AsyncIterable<Uint8Array>, pace: Pace, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) yield* pace.pass(chunk, signal)
}
