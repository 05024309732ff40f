import { LOG_WINDOW } from '../../../shared/document/limits.ts'
import type { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import type { Target } from '../target.ts'

/** Events of a request. */
const BATCH = 100
/** Events that one request creates items with: as many as a batch may have. */
const CREATED = 1_000
/** What an item goes through: each is met again once all others were. */
const LIFE = [
  { status: 'running', progress: 0, message: null },
  { progress: 35, message: 'reading' },
  { progress: 70, message: 'writing' },
  { status: 'succeeded', progress: 100, message: 'written' },
]
/** One in so many fails instead. */
const FAILS = 50
const FAILURE = { status: 'failed', error: 'The disk is full: nothing more can be written' }

/** A job that reports on thousands of items at once, and beside them how much is done, lines of its log, and what went wrong. */
export class BusyJob {
  readonly id = 'busy'
  /** The events that were acknowledged; the creation was one of the server's own. */
  acknowledged = 0
  readonly #target: Target
  readonly #publishers: Publishers
  readonly #items: number
  #made = 0
  #visits = 0

  private constructor(target: Target, publishers: Publishers, items: number) {
    this.#target = target
    this.#publishers = publishers
    this.#items = items
  }

  static async create(target: Target, publishers: Publishers, items: number): Promise<BusyJob> {
    const job = new BusyJob(target, publishers, items)
    const body = JSON.stringify({ id: job.id, kind: 'copy', title: 'A copy of many files' })
    await publishers.send(requestBytes(target, 'POST', '/api/jobs', body))
    await job.#send([{ type: 'status', status: 'running' }])
    for (let first = 0; first < items; first += CREATED) {
      const count = Math.min(CREATED, items - first)
      await job.#send(
        Array.from({ length: count }, (_, i) => ({ type: 'item', id: idOf(first + i), status: 'pending' })),
      )
    }
    // What a document keeps of a log is there before anything is measured.
    await job.#send(Array.from({ length: LOG_WINDOW }, (_, i) => logLine(i)))
    return job
  }

  /** Reports at a steady pace until it is enough. @returns when all of it is acknowledged */
  async publish(perSecond: number, enough: AbortSignal): Promise<void> {
    const begun = performance.now()
    const sent: Promise<void>[] = []
    while (!enough.aborted) {
      const due = ((performance.now() - begun) / 1_000) * (perSecond / BATCH)
      while (sent.length < due) sent.push(this.#send(Array.from({ length: BATCH }, () => this.#next())))
      await Bun.sleep(1)
    }
    await Promise.all(sent)
  }

  /** Of a hundred events 3 tell how much is done, 4 are lines of the log, 1 is an error, and the others are items. */
  #next(): object {
    const number = this.#made++
    switch (number % 25) {
      case 7:
        return { ...logLine(number), level: number % 100 === 7 ? 'warn' : 'info' }
      case 13:
        return number % 100 === 13
          ? { type: 'error', message: FAILURE.error, code: 'ENOSPC', itemId: idOf(number % this.#items) }
          : { type: 'progress', done: number, total: 1e7, unit: 'files', message: `Copying from shelf ${number % 40}` }
      default:
        return this.#nextItem()
    }
  }

  #nextItem(): object {
    const visit = this.#visits++
    // A stride that has no factor in common with the number of items: each is met once a round, in no order.
    const place = (visit * 7_919) % this.#items
    const age = Math.floor(visit / this.#items) + place
    const stage = LIFE[age % LIFE.length]
    const fails = stage?.status === 'succeeded' && place % FAILS === 0
    return { type: 'item', id: idOf(place), ...(fails ? FAILURE : stage) }
  }

  async #send(events: object[]): Promise<void> {
    const path = this.#target.publishPath.replace('{job}', this.id)
    await this.#publishers.send(requestBytes(this.#target, 'POST', path, JSON.stringify(events)))
    this.acknowledged += events.length
  }
}

const idOf = (place: number) => `archive/shelf-${place % 40}/file-${place}.tiff`
const logLine = (number: number) => ({
  type: 'log',
  message: `shelf ${number % 40}: file ${number} is next, of 4.2 MB`,
})
