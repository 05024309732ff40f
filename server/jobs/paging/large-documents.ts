import type { Cursor } from '../../../shared/document/cursor.ts'
import type { ErrorRow, Item, LogRow, Patch, Step } from '../../../shared/document/job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from '../../../shared/document/limits.ts'
import { countItems } from '../../../shared/document/selectors.ts'
import { qualify } from '../../../shared/document/tenant.ts'
import { type Clock, nextTurn, systemClock } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'
import type { Engine, View } from '../engine.ts'
import { documentsOf } from '../tenant-documents.ts'

/** Most concurrent reads of large documents, in total and per job. Each may hold tens of megabytes until it has been sent. */
export const LARGE_READS = { all: 16, job: 4 }
/** How long a read counts at most: milliseconds. A stalled client must not keep others out for good. */
const LARGE_READ_MS = 60_000
/** Bytes of JSON read per turn of the event loop: some milliseconds. */
const READ_BYTES = 64 * 1024
/** Rows encoded per turn of the event loop: some milliseconds. */
const ROWS_ENCODED = 250

const encoder = new TextEncoder()

/** Reads documents of any size without blocking the event loop: in pages, with a turn of the loop between any two. */
export class LargeDocuments {
  readonly #engine: Engine
  readonly #clock: Clock
  /** Number of unreleased reads, by job. */
  readonly #open = new Map<string, number>()
  #count = 0

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  /**
   * Reads all changes since a cursor, or everything without one. `undefined` when there is no such job.
   *
   * @param tenant of whoever knows the job by this id
   * @returns the patch; for a large one with `release`, to call once the patch was sent or discarded
   * @throws ProblemError 429 when too many large documents are being read
   */
  async read(
    tenant: string | undefined,
    id: string,
    cursor: Cursor | undefined,
    view: View,
  ): Promise<{ patch: Patch; release?: () => void } | undefined> {
    const page = { view, maxBytes: READ_BYTES }
    const documents = documentsOf(this.#engine, tenant)
    let patch = await documents.changesSince(id, cursor, page)
    if (!patch?.more) return patch && { patch }
    const release = this.#reserve(qualify(tenant, id))
    try {
      let whole = new MergedPatch(patch)
      while (patch.more) {
        await nextTurn(systemClock)
        patch = await documents.changesSince(id, { epoch: patch.job.epoch, version: patch.to }, page)
        if (!patch) {
          release()
          return undefined
        }
        // From 0: the job was created again in between.
        if (patch.from === 0) whole = new MergedPatch(patch)
        else whole.add(patch)
      }
      return { patch: whole.patch, release }
    } catch (error) {
      release()
      throw error
    }
  }

  #reserve(id: string): () => void {
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

/** Merges pages into one patch: each row in its newest state, and windows cut to their length. */
class MergedPatch {
  readonly #first: Patch
  #last: Patch
  #result: Patch['job']['result']
  #metadata: Patch['job']['metadata']
  readonly #steps = new Map<string, Step>()
  /** By index, because sorting items or growing a large map takes long. Filled with `undefined`, because holes make an array slow. */
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
 * Encodes an object as JSON: long arrays in slices, each when the client has room for more.
 *
 * @param done called once, after the last slice or when the client disconnects
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
