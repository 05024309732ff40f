import type { LogLevel } from '../../../shared/document/job.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { backOff } from '../../../shared/time/backoff.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { emitError, emitItem, emitLog, emitProgress, emitStep, type JobControl, noControl } from '../../jobs/emitter.ts'
import { countOf, formatBytes } from '../kit/amounts.ts'
import { createCheckpoint, createThrottle } from '../kit/checkpoint.ts'
import { Pace, type PaceOption, paceNote } from '../kit/pace.ts'
import { forEachAtOnce } from '../kit/pool.ts'
import { announceSteps, runSteps } from '../kit/steps.ts'
import { clip, escapeControls, itemId, reasonOf } from '../kit/untrusted-text.ts'
import { wait } from '../kit/wait.ts'
import { copyFile, isSameFile } from './copy-file.ts'
import { type Tree, type TreeEntry, TreeRefusal } from './tree.ts'

interface SyncOptions extends PaceOption {
  jobId: string
  control?: JobControl
  /** Files that are processed concurrently. Default: 4. */
  concurrency?: number
  /** Retries of a file. Default: 3. */
  retries?: number
  /** Called with the path of each file that failed or could not be copied, and the reason. Both are safe to print. */
  onProblem?(path: string, reason: string): void
  clock?: Clock
  random?: Random
}

/** The result of a sync. */
interface SyncResult {
  files: number
  copied: number
  skipped: number
  failed: number
  /** Skipped entries that the target lacks: they are not files, or could not be read. */
  leftOut: number
  bytesCopied: number
  /** Files that only the target has. They are kept. */
  extra: number
  /** The first {@link FAILURES_SHOWN} that failed. */
  failures: { path: string; reason: string }[]
}

const FAILURES_SHOWN = 50
/** Most bytes of a path in a message. */
const PATH_BYTES = 500
/** Interval of events with counts: milliseconds. */
const NEWS_MS = 500
/** The back-off between two tries of a file: milliseconds. */
const RETRY_MS = { first: 250, most: 10_000 }

/**
 * Copies the files that a tree lacks or that differ, by size and then by SHA-256, and verifies each copy. Deletes nothing. Each file is
 * an item: `skipped` if both trees have it, `succeeded`, or `failed` with the reason; a failure does not affect other files.
 *
 * @throws when a tree can't be listed, when all files failed, or when the job is to end
 * @example
 * ```ts
 * await syncTrees(photos, backup, { jobId: 'nightly' }) // by itself
 * await app.jobs.run(jobId, (control) => syncTrees(photos, backup, { jobId, control })) // watched, paused, cancelled
 * ```
 */
export function syncTrees(source: Tree, target: Tree, options: SyncOptions): Promise<SyncResult> {
  return new Sync(source, target, options).run()
}

/** A file of a tree, the id of its item, and its path in printable form. */
interface ListedFile extends TreeEntry {
  id: string
  shown: string
}

class Sync {
  readonly #source: Tree
  readonly #target: Tree
  readonly #jobId: string
  readonly #control: JobControl
  readonly #concurrency: number
  readonly #retries: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #paceSeconds: number | undefined
  #pace: Pace | undefined
  readonly #onProblem: NonNullable<SyncOptions['onProblem']>
  readonly #isNews: () => boolean
  readonly #checkpoint: () => Promise<void>
  readonly #result: SyncResult = {
    files: 0,
    copied: 0,
    skipped: 0,
    failed: 0,
    leftOut: 0,
    bytesCopied: 0,
    extra: 0,
    failures: [],
  }
  /** Bytes sent, including those of failed tries. */
  #sent = 0

  constructor(source: Tree, target: Tree, options: SyncOptions) {
    this.#source = source
    this.#target = target
    this.#jobId = options.jobId
    this.#control = options.control ?? noControl
    this.#concurrency = options.concurrency ?? 4
    this.#retries = options.retries ?? 3
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#onProblem = options.onProblem ?? (() => {})
    this.#isNews = createThrottle(NEWS_MS, this.#clock)
    this.#checkpoint = createCheckpoint(this.#control, this.#clock)
    this.#paceSeconds = options.paceSeconds
  }

  async run(): Promise<SyncResult> {
    announceSteps(this.#jobId, {
      compare: 'Compare the trees',
      copy: 'Copy what differs',
      verify: 'Verify the copies',
      report: 'Report',
    })
    const differing = await this.#step(['compare'], () => this.#compare())
    // Each copy is verified at once, so that a bad one is repeated.
    await this.#step(['copy', 'verify'], () => this.#copyAll(differing))
    return this.#step(['report'], () => this.#report())
  }

  async #compare(): Promise<ListedFile[]> {
    const files = await listFiles(this.#source)
    const there = new Map((await listFiles(this.#target)).map(({ path, size }) => [path, size]))
    this.#result.files = files.length
    this.#result.extra = there.size - files.filter(({ path }) => there.has(path)).length
    this.#log(`“${nameOf(this.#source)}” has ${countOf(files.length, 'file')}, “${nameOf(this.#target)}” ${there.size}`)
    const differing = new Set<ListedFile>()
    let compared = 0
    await this.#forEach(files, async (file) => {
      const { id, path, size, shown } = file
      const unsupported = file.unsupported === undefined ? undefined : reasonOf(file.unsupported)
      if (unsupported !== undefined) {
        this.#result.leftOut += 1
        this.#onProblem(shown, unsupported)
      }
      const skip = unsupported ?? (there.get(path) === size && (await this.#isSame(path)) ? 'Same content' : undefined)
      if (skip === undefined) differing.add(file)
      else this.#result.skipped += 1
      emitItem(
        this.#jobId,
        skip === undefined
          ? { id, status: 'pending', message: formatBytes(size) }
          : { id, status: 'skipped', message: skip },
      )
      compared += 1
      this.#count(['compare'], compared, files.length)
    })
    const toCopy = files.filter((file) => differing.has(file))
    const bytes = toCopy.reduce((sum, { size }) => sum + size, 0)
    this.#pace = Pace.over(this.#paceSeconds, bytes, this.#clock)
    const note = paceNote({ paceSeconds: this.#paceSeconds })
    this.#log(`${countOf(toCopy.length, 'file')} to copy, ${formatBytes(bytes)}, ${this.#concurrency} at once${note}`)
    return toCopy
  }

  /** A file that can't be compared counts as different: copying it fixes it, or fails with the reason. */
  async #isSame(path: string): Promise<boolean> {
    return isSameFile(this.#source, this.#target, path).catch(() => false)
  }

  async #copyAll(files: readonly ListedFile[]): Promise<void> {
    const left = new Map<string, number>()
    for (const { path } of files) left.set(folderOf(path), (left.get(folderOf(path)) ?? 0) + 1)
    let ended = 0
    await this.#forEach(files, async (file) => {
      await this.#copy(file)
      ended += 1
      this.#count(['copy', 'verify'], ended, files.length)
      const folder = folderOf(file.path)
      const rest = (left.get(folder) ?? 0) - 1
      left.set(folder, rest)
      if (folder !== '' && rest === 0) this.#log(`${shownPath(folder)} done`)
    })
    const [first] = this.#result.failures
    if (first && this.#result.failed === this.#result.files) {
      throw new Error(`Nothing could be copied. ${first.path}: ${first.reason}`)
    }
  }

  /** Copies a file, with retries. */
  async #copy(file: ListedFile): Promise<void> {
    const { id, shown, size } = file
    for (let tries = 1; ; tries++) {
      emitItem(this.#jobId, { id, status: 'running', progress: 0 })
      try {
        await this.#tryToCopy(file)
        this.#result.copied += 1
        this.#result.bytesCopied += size
        const message = formatBytes(size) + (tries > 1 ? `, ${tries} tries` : '')
        return emitItem(this.#jobId, { id, status: 'succeeded', progress: 100, message })
      } catch (error) {
        if (this.#control.signal.aborted) {
          // The target has nothing of it.
          emitItem(this.#jobId, { id, status: 'pending', progress: null })
          throw error
        }
        const reason = reasonOf(error)
        if (error instanceof TreeRefusal || tries > this.#retries) return this.#fail(file, reason, tries)
        const pause = Math.round(backOff(tries, RETRY_MS.first, RETRY_MS.most, this.#random.number()))
        this.#log(`${shown}: ${reason}. Trying again in ${pause} ms`, 'warn')
        const message = `${reason}. Try ${tries + 1} of ${this.#retries + 1} follows`
        emitItem(this.#jobId, { id, status: 'pending', progress: null, message })
        await wait(pause, this.#clock, this.#control.signal)
      }
    }
  }

  #tryToCopy(file: ListedFile): Promise<void> {
    const isNews = createThrottle(NEWS_MS, this.#clock)
    let bytes = 0
    return copyFile(this.#source, this.#target, file, {
      signal: this.#control.signal,
      pace: this.#pace,
      onBytes: (more) => {
        bytes += more
        this.#sent += more
        if (!isNews()) return
        emitItem(this.#jobId, { id: file.id, progress: Math.min(99, Math.floor((bytes / file.size) * 100)) })
        this.#progress()
      },
    })
  }

  #fail({ id, shown }: ListedFile, reason: string, tries: number): void {
    this.#result.failed += 1
    this.#onProblem(shown, reason)
    if (this.#result.failures.length < FAILURES_SHOWN) this.#result.failures.push({ path: shown, reason })
    const message = tries === 1 ? '1 try' : `${tries} tries`
    emitItem(this.#jobId, { id, status: 'failed', progress: null, error: reason, message })
    emitError(this.#jobId, { message: `${shown}: ${reason}`, itemId: id })
    this.#log(`${shown}: ${reason}. Given up after ${message}`, 'error')
  }

  async #report(): Promise<SyncResult> {
    const { copied, bytesCopied, skipped, failed, leftOut, extra } = this.#result
    this.#log(`${countOf(copied, 'file')} copied, ${formatBytes(bytesCopied)}; ${skipped} skipped, ${failed} failed`)
    if (leftOut > 0) this.#log(`${leftOut} of those skipped left out: the items say why`, 'warn')
    if (extra > 0) this.#log(`${countOf(extra, 'file')} only in “${nameOf(this.#target)}”, left alone`)
    return this.#result
  }

  #forEach(files: readonly ListedFile[], work: (file: ListedFile) => Promise<void>): Promise<void> {
    return forEachAtOnce(files, this.#concurrency, this.#control, async (file) => {
      // Small files in memory are read and written without ever waiting.
      await this.#checkpoint()
      await work(file)
    })
  }

  #step<T>(ids: string[], work: () => Promise<T>): Promise<T> {
    return runSteps(this.#jobId, ids, this.#control, work)
  }

  /** Counts another processed file of some steps. */
  #count(steps: string[], done: number, total: number): void {
    this.#progress()
    if (done < total && !this.#isNews()) return
    for (const id of steps) emitStep(this.#jobId, { id, done, total })
  }

  #progress(): void {
    const { files, copied, skipped, failed } = this.#result
    emitProgress(this.#jobId, {
      done: copied + skipped + failed,
      total: files,
      succeeded: copied,
      failed,
      unit: 'files',
      message: `${formatBytes(this.#sent)} sent`,
    })
  }

  #log(message: string, level: LogLevel = 'info'): void {
    emitLog(this.#jobId, { message, level })
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

/** A path in a message: one line. */
const shownPath = (path: string) => clip(escapeControls(path), PATH_BYTES)

const nameOf = (tree: Tree) => shownPath(tree.name)

/** Lists a whole tree: comparing needs both lists. */
async function listFiles(tree: Tree): Promise<ListedFile[]> {
  const files: ListedFile[] = []
  for await (const entry of tree.list()) {
    if (files.length === defaultLimits.items) {
      const most = countOf(defaultLimits.items, 'file')
      throw new Error(`“${nameOf(tree)}” has over ${most}, more than a job has items. Sync its folders one by one.`)
    }
    files.push({ ...entry, id: itemId(entry.path, files.length), shown: shownPath(entry.path) })
  }
  return files
}
