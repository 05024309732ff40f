import { EventStreamParser } from '../event-stream-parser.ts'

/** A message of a stream, as a client hears it. */
export interface Received {
  event: string
  /** What `Last-Event-ID` would bring back after it. */
  lastEventId: string
  data: Record<string, unknown>
}

/** Reads an event stream over `fetch`, message by message. */
export class StreamReader {
  readonly response: Response
  /** All that came, as it came. */
  text = ''
  readonly #parser = new EventStreamParser()
  readonly #decoder = new TextDecoder()
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #abort: AbortController

  private constructor(response: Response, abort: AbortController) {
    if (!response.body) throw new Error(`${response.status} without a body`)
    this.response = response
    this.#reader = response.body.getReader()
    this.#abort = abort
  }

  /** @throws Error when the answer is no stream */
  static async open(url: string | URL, headers: Record<string, string> = {}): Promise<StreamReader> {
    const abort = new AbortController()
    const response = await fetch(url, { headers, signal: abort.signal })
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    return new StreamReader(response, abort)
  }

  /** The next message but for pings, which come when they come; `undefined` when the server has closed the stream. */
  async next(): Promise<Received | undefined> {
    for (;;) {
      const message = await this.#read()
      if (message?.event !== 'ping') return message
    }
  }

  /** The next message, which has to be a ping. The first one says what time it is, once all that there was is sent. */
  async ping(): Promise<Received> {
    const message = await this.#read()
    if (message?.event !== 'ping') throw new Error(`It is not pinged:\n${this.text}`)
    return message
  }

  async #read(): Promise<Received | undefined> {
    while (this.#parser.dispatched.length === 0) {
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.text += this.#decoder.decode(value, { stream: true })
      this.#parser.push(value)
    }
    const message = this.#parser.dispatched.shift()
    return message && { ...message, data: JSON.parse(message.data) }
  }

  /** The next messages, as many as are asked for. */
  async take(count: number): Promise<Received[]> {
    const messages: Received[] = []
    while (messages.length < count) {
      const message = await this.next()
      if (!message) throw new Error(`The stream closed after ${messages.length} of ${count} messages:\n${this.text}`)
      messages.push(message)
    }
    return messages
  }

  /** The next messages, up to one that satisfies a condition. */
  async until(isLast: (message: Received) => boolean): Promise<Received[]> {
    const messages: Received[] = []
    for (;;) {
      const message = await this.next()
      if (!message) throw new Error(`The stream closed after:\n${this.text}`)
      messages.push(message)
      if (isLast(message)) return messages
    }
  }

  /** All messages until the server closes the stream. */
  async rest(): Promise<Received[]> {
    const messages: Received[] = []
    for (let message = await this.next(); message; message = await this.next()) messages.push(message)
    return messages
  }

  /** Leaves. */
  async close(): Promise<void> {
    this.#abort.abort()
    await this.#reader.cancel().catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
