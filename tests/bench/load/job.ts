import type { Target } from '../target.ts'
import type { Publishers } from './publishers.ts'
import { progressEvent, requestBytes } from './requests.ts'

/** One job under load: what was published to it, and when. The n-th event makes version n + 1; other servers are told its number. */
export class LoadJob {
  readonly id: string
  /** When each event left, by its number: milliseconds. The first is number 1. */
  readonly sentAt: number[] = [0]
  readonly #target: Target
  readonly #publishers: Publishers

  private constructor(target: Target, publishers: Publishers, id: string) {
    this.id = id
    this.#target = target
    this.#publishers = publishers
  }

  /** A job that has a first state: a document, or a message of which the server keeps the last. */
  static async create(target: Target, publishers: Publishers, id: string): Promise<LoadJob> {
    const request =
      target.wire === 'milepost'
        ? requestBytes(target, 'POST', '/api/jobs', JSON.stringify({ id, kind: 'bench', title: 'Bench' }))
        : requestBytes(target, 'POST', target.publishPath.replace('{job}', id), progressEvent(0))
    await publishers.send(request)
    return new LoadJob(target, publishers, id)
  }

  /** How many events were sent. */
  get sent(): number {
    return this.sentAt.length - 1
  }

  /** Reports progress, as the next event. */
  async publish(): Promise<void> {
    await this.send(progressEvent(this.sentAt.length))
  }

  /** Sends events, in JSON. @returns the body of the answer */
  async send(json: string, count = 1): Promise<string> {
    const path = this.#target.publishPath.replace('{job}', this.id)
    const request = requestBytes(this.#target, 'POST', path, json)
    for (let sent = 0; sent < count; sent++) this.sentAt.push(performance.now())
    return this.#publishers.send(request)
  }
}
