import { BATCHES_LIMIT } from '../document/limits.ts'
import { isProblem, isReceipt } from '../wire/answers.ts'
import type { ProblemDocument, Receipt } from '../wire/api.ts'
import { eventsPath, manyEventsPath } from '../wire/paths.ts'
import type { Sent } from './batcher.ts'
import { type Answer, failureOf } from './http-sender.ts'

/** Length of a request's body from which on another is begun: characters. The default limit of bodies of nginx, too. */
const BODY_LENGTH = 1_048_576

/** A batch of one job, as JSON. */
export interface Posted {
  readonly job: string
  /** The required epoch of the job; any, when left out. */
  readonly epoch: string | undefined
  readonly key: string
  /** The events: a JSON array. */
  readonly events: string
  /** Aborts when the batch is not waited for any longer. */
  readonly signal: AbortSignal
}

interface Waiting extends Posted {
  resolve(sent: Sent): void
}

/** Posts JSON. Never rejects. @param path relative to the server's address. @param isOurs whether the body of a success is the server's */
export type Post = <T>(
  path: string,
  body: string,
  headers: Record<string, string>,
  isOurs: (answer: unknown) => answer is T,
  signal: AbortSignal | null,
) => Promise<Answer<T>>

/**
 * Sends the batches of several jobs: those that are handed over in one turn, in one request. A server that has no such request gets one for
 * each job.
 */
export class Outbox {
  readonly #post: Post
  readonly #waiting: Waiting[] = []
  #bodyLength = BODY_LENGTH
  #isOld = false

  constructor(post: Post) {
    this.#post = post
  }

  /** Sends a batch. Never rejects. */
  send(batch: Posted): Promise<Sent> {
    return new Promise((resolve) => {
      if (this.#waiting.push({ ...batch, resolve }) === 1) queueMicrotask(() => this.#sendAll(this.#waiting.splice(0)))
    })
  }

  #sendAll(waiting: readonly Waiting[]): void {
    let group: Waiting[] = []
    let length = 0
    for (const one of waiting) {
      length += one.events.length
      if (group.length > 0 && (this.#isOld || length > this.#bodyLength || group.length === BATCHES_LIMIT)) {
        this.#send(group)
        group = []
        length = one.events.length
      }
      group.push(one)
    }
    this.#send(group)
  }

  #send(group: readonly Waiting[]): void {
    if (group.length > 1) void this.#sendGroup(group)
    else this.#sendEach(group)
  }

  #sendEach(group: readonly Waiting[]): void {
    for (const { job, epoch, key, events, signal, resolve } of group) {
      void this.#post(eventsPath(job, epoch), events, { 'idempotency-key': key }, isReceipt, signal).then((answer) =>
        resolve('body' in answer ? { receipt: answer.body } : answer.failed),
      )
    }
  }

  async #sendGroup(group: readonly Waiting[]): Promise<void> {
    const batches = group.map(
      ({ job, epoch, key, events }) => `${JSON.stringify({ job, epoch, key }).slice(0, -1)},"events":${events}}`,
    )
    const isOurs = (body: unknown): body is (Receipt | ProblemDocument)[] =>
      Array.isArray(body) && body.length === group.length && body.every((one) => isReceipt(one) || isProblem(one))
    // All have the same time-out.
    const signal = group[0]?.signal ?? null
    const answer = await this.#post(manyEventsPath, `[${batches}]`, {}, isOurs, signal)
    if ('body' in answer) {
      for (const [index, { resolve }] of group.entries()) {
        const one = answer.body[index]
        resolve(isReceipt(one) ? { receipt: one } : failureOf(one?.status ?? 0, one?.detail ?? '', one?.jobStatus))
      }
      return
    }
    const { failed, problem, status } = answer
    const isTooLarge = status === 413
    if ('retry' in failed && status !== 404 && !isTooLarge) {
      for (const { resolve } of group) resolve(failed)
      return
    }
    if (isTooLarge) this.#bodyLength /= 2
    // A proxy's 404 may be over in a moment.
    else this.#isOld = problem !== undefined
    this.#sendEach(group)
  }
}
