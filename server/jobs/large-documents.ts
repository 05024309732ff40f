import type { Cursor } from '../../shared/document/cursor.ts'
import type { ErrorRow, Item, LogRow, Patch, Step } from '../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../shared/document/limits.ts'
import { countItems } from '../../shared/document/selectors.ts'
import { type Clock, nextTurn, systemClock } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine, View } from './engine.ts'

/** Large documents that may be read at once: of all jobs, and of one. Each may take tens of megabytes until it has been sent. */
export const LARGE_READS = { all: 16, job: 4 }
/** How long one of them counts at most: milliseconds. A reader that stalls must not keep others out for good. */
const LARGE_READ_MS = 60_000
/** Bytes of JSON that are read before others get their turn: some milliseconds. */
const READ_BYTES = 64 * 1024
/** Rows that are encoded before others get their turn: some milliseconds. */
const ROWS_ENCODED = 250

const encoder = new TextEncoder()

/**
 * Reads documents of any size without holding up the event loop: in pages, with a turn of the loop between any two.
 */
export class LargeDocuments {
  readonly #engine: Engine
  readonly #clock: Clock
  /** Reads that have not been sent yet, by job. */
  readonly #open = new Map<string, number>()
  #count = 0

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  /**
   * What changed since a cursor, all of it; everything without one. `undefined` when there is no such job.
   *
   * @returns the patch, and for a large one what has to be called once it was sent, or never will be
   * @throws ProblemError 429 when too many large documents are being read
   */
  async read(
    id: string,
    cursor: Cursor | undefined,
    view: View,
  ): Promise<{ patch: Patch; release?: () => void } | undefined> {
    const page = { view, maxBytes: READ_BYTES }
    let patch = await this.#engine.changesSince(id, cursor, page)
    if (!patch?.more) return patch && { patch }
    const release = this.#take(id)
    try {
      let whole = new MergedPatch(patch)
      while (patch.more) {
        await nextTurn(systemClock)
        patch = await this.#engine.changesSince(id, { epoch: patch.job.epoch, version: patch.to }, page)
        if (!patch) {
          release()
          return undefined
        }
        // From 0 again: the job was made anew in between.
        if (patch.from === 0) whole = new MergedPatch(patch)
        else whole.add(patch)
      }
      return { patch: whole.patch, release }
    } catch (error) {
      release()
      throw error
    }
  }

  #take(id: string): () => void {
    const open = this.#open.get(id) ?? 0
    if (this.#count >= LARGE_READS.all || open >= LARGE_READS.job)
      throw refuse(
        problems.tooMany(
          'largeReads',
          'Too many large documents are being read. Try again later, or follow the stream.',
        ),
      )
    this.#count += 1
    this.#open.set(id, open + 1)
    let isReleased = false
    const release = () => {
      if (isReleased) return
      isReleased = true
      this.#clock.clearTimeout(timer)
      this.#count -= 1
      const left = (this.#open.get(id) ?? 1) - 1
      if (left > 0) this.#open.set(id, left)
      else this.#open.delete(id)
    }
    const timer = this.#clock.setTimeout(release, LARGE_READ_MS)
    return release
  }
}

/** Pages as one patch: of a row that came twice the newer one, and of windows what is still in them. */
class MergedPatch {
  readonly #first: Patch
  #last: Patch
  #result: Patch['job']['result']
  #metadata: Patch['job']['metadata']
  readonly #steps = new Map<string, Step>()
  /** At their places: to sort them at the end would take long, and so would a large map to grow. No holes: those make an array slow. */
  readonly #items: (Item | undefined)[]
  readonly #errors: ErrorRow[] = []
  readonly #logs: LogRow[] = []

  constructor(first: Patch) {
    this.#first = first
    this.#items = new Array<undefined>(countItems(first.job)).fill(undefined)
    this.#last = first
    this.add(first)
  }

  add(page: Patch): void {
    this.#last = page
    if (page.job.result !== undefined) this.#result = page.job.result
    if (page.job.metadata !== undefined) this.#metadata = page.job.metadata
    for (const step of page.steps ?? []) this.#steps.set(step.id, step)
    for (const item of page.items ?? []) this.#items[item.index] = item
    this.#errors.push(...(page.errors ?? []))
    this.#logs.push(...(page.logs ?? []))
  }

  get patch(): Patch {
    const job = { ...this.#last.job }
    if (this.#result !== undefined) job.result = this.#result
    if (this.#metadata !== undefined) job.metadata = this.#metadata
    const patch: Patch = { from: this.#first.from, to: this.#last.to, job }
    if (this.#steps.size > 0) patch.steps = [...this.#steps.values()]
    const items = this.#items.filter((item) => item !== undefined)
    if (items.length > 0) patch.items = items
    if (this.#errors.length > 0) patch.errors = this.#errors.slice(-ERROR_WINDOW)
    if (this.#logs.length > 0) patch.logs = this.#logs.slice(-LOG_WINDOW)
    return patch
  }
}

/**
 * An object as JSON, whose long arrays are encoded a few elements at a time, each time that the reader has room for more.
 *
 * @param done called once, when all was read or the reader has left
 */
export function encodeInSlices(object: object, done: () => void): ReadableStream<Uint8Array> {
  const slices = jsonSlices(object)
  return new ReadableStream({
    async pull(controller) {
      await nextTurn(systemClock)
      const { value, done: isLast } = slices.next()
      if (!isLast) return controller.enqueue(encoder.encode(value))
      done()
      controller.close()
    },
    cancel: () => done(),
  })
}

function* jsonSlices(object: object): Generator<string, undefined> {
  let separator = '{'
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue
    const name = `${separator}${JSON.stringify(key)}:`
    separator = ','
    if (!Array.isArray(value) || value.length <= ROWS_ENCODED) {
      yield name + JSON.stringify(value)
      continue
    }
    for (let from = 0; from < value.length; from += ROWS_ENCODED) {
      const rows = JSON.stringify(value.slice(from, from + ROWS_ENCODED)).slice(1, -1)
      yield from === 0 ? `${name}[${rows}` : `,${rows}`
    }
    yield ']'
  }
  yield separator === '{' ? '{}' : '}'
}
