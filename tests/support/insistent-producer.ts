import type { ProducerEvent } from '../../shared/document/events.ts'
import type { Receipt } from '../../shared/wire/api.ts'

/** A producer that sends each event under one key, to one server after the other, until one acknowledges it. */
export class InsistentProducer {
  /** Answers other than an acknowledgement. */
  refused = 0
  readonly #urls: readonly string[]
  readonly #headers: Record<string, string>
  readonly #name: string
  #at: number
  #sent = 0

  /** @param first number of the server to begin with */
  constructor(name: string, urls: readonly string[], token: string, first: number) {
    this.#name = name
    this.#urls = urls
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    this.#at = first
  }

  /** @throws Error for an answer that is neither an acknowledgement nor a 503 that says when to come back */
  async publish(job: string, event: ProducerEvent): Promise<Receipt> {
    const headers = { ...this.#headers, 'idempotency-key': `${this.#name}-${++this.#sent}` }
    for (;;) {
      const url = new URL(`api/jobs/${job}/events`, this.#urls[this.#at % this.#urls.length])
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) }).catch(() => undefined)
      if (answer?.status === 200) return (await answer.json()) as Receipt
      if (answer && (answer.status !== 503 || answer.headers.get('retry-after') === null))
        throw new Error(`${answer.status}: ${await answer.text()}`)
      this.refused += 1
      this.#at += 1
      await Bun.sleep(20)
    }
  }
}
