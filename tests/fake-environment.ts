import type { Environment, EventSourceLike } from '../client/connection/environment.ts'
import { encodeMessage, type Message } from '../shared/wire/sse.ts'
import { SeededRandom } from './seeded-random.ts'
import { settle, VirtualClock } from './virtual-clock.ts'

/** An EventSource that says what a test says. */
export class FakeEventSource implements EventSourceLike {
  readonly url: string
  readyState = 0
  onopen: ((event: Event) => unknown) | null = null
  onerror: ((event: Event) => unknown) | null = null
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>()

  constructor(url: string) {
    if (url.includes('not a url')) throw new SyntaxError('Not a URL')
    this.url = url
  }

  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(name, listener)
  }

  close(): void {
    this.readyState = 2
  }

  get isOpen(): boolean {
    return this.readyState !== 2
  }

  open(): void {
    this.readyState = 1
    this.onopen?.(new Event('open'))
  }

  /** A message; one without a listener is lost, as in a browser. */
  send(event: string, data: unknown): void {
    this.sendText(event, JSON.stringify(data))
  }

  sendText(event: string, data: string): void {
    this.#listeners.get(event)?.(new MessageEvent(event, { data }))
  }

  /** The connection is lost, and the browser would try again by itself. */
  lose(): void {
    this.readyState = 0
    this.onerror?.(new Event('error'))
  }

  /** An answer that is no stream: the browser gives up. */
  refuse(): void {
    this.readyState = 2
    this.onerror?.(new Event('error'))
  }
}

/** A request that waits for a test to answer it. */
export class FakeRequest {
  readonly url: string
  readonly headers: Headers
  readonly signal: AbortSignal | undefined
  readonly method: string
  readonly body: unknown
  readonly response = Promise.withResolvers<Response>()
  #isAnswered = false
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined
  #isCancelled = false

  constructor(url: string, init: RequestInit = {}) {
    this.url = url
    this.headers = new Headers(init.headers)
    this.method = init.method ?? 'GET'
    this.body = init.body
    this.signal = init.signal ?? undefined
    this.signal?.addEventListener('abort', () => this.response.reject(this.signal?.reason))
    const answered = () => {
      this.#isAnswered = true
    }
    this.response.promise.then(answered, answered)
  }

  /** Whether it was answered, failed or given up. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** Whether nobody waits for more of it. */
  get isOver(): boolean {
    return this.#isCancelled || this.signal?.aborted === true
  }

  /** Answers as the server does: with JSON, a problem document from 400 on; or with nothing. */
  answer(status: number, body?: object, headers: Record<string, string> = {}): Promise<void> {
    const problem = { type: 'urn:milepost:test', title: 'Test', status, detail: 'No.', ...body }
    const asProblem = { 'content-type': 'application/problem+json', ...headers }
    this.response.resolve(
      status >= 400
        ? Response.json(problem, { status, headers: asProblem })
        : body === undefined
          ? new Response(null, { status, headers })
          : Response.json(body, { status, headers }),
    )
    return settle()
  }

  /** Answers as something on the way to the server does: with a page of its own, or other JSON. */
  answerForeign(status: number, body: string | object, headers: Record<string, string> = {}): Promise<void> {
    this.response.resolve(
      typeof body === 'string'
        ? new Response(body, { status, headers: { 'content-type': 'text/html', ...headers } })
        : Response.json(body, { status, headers }),
    )
    return settle()
  }

  fail(): Promise<void> {
    this.response.reject(new TypeError('Failed to fetch'))
    return settle()
  }

  /** Answers with a stream. */
  open(headers: Record<string, string> = { 'content-type': 'text/event-stream' }): Promise<void> {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller
        this.signal?.addEventListener('abort', () => controller.error(this.signal?.reason))
      },
      cancel: () => {
        this.#isCancelled = true
      },
    })
    this.response.resolve(new Response(body, { headers }))
    return settle()
  }

  write(text: string): Promise<void> {
    this.#stream?.enqueue(new TextEncoder().encode(text))
    return settle()
  }

  send(event: string, data: unknown, id?: string): Promise<void> {
    const message: Message = id === undefined ? { event, data } : { event, data, id }
    return this.write(encodeMessage(message))
  }

  close(): Promise<void> {
    this.#stream?.close()
    return settle()
  }

  break(): Promise<void> {
    this.#stream?.error(new TypeError('network error'))
    return settle()
  }
}

/** A world in which a test is the server, the network, the clock and the page. */
export class FakeEnvironment implements Environment {
  readonly clock: VirtualClock
  readonly random = new SeededRandom(1)
  readonly sources: FakeEventSource[] = []
  readonly requests: FakeRequest[] = []
  readonly page = Object.assign(new EventTarget(), {
    navigator: { onLine: true },
    document: { visibilityState: 'visible' },
  })
  EventSource: Environment['EventSource']
  #frames = new Set<() => void>()

  constructor(options: { eventSource?: boolean; now?: string } = {}) {
    this.clock = new VirtualClock(options.now)
    const { sources } = this
    if (options.eventSource === false) return
    this.EventSource = class extends FakeEventSource {
      constructor(url: string) {
        super(url)
        sources.push(this)
      }
    }
  }

  fetch(url: string, init?: RequestInit): Promise<Response> {
    const request = new FakeRequest(url, init)
    this.requests.push(request)
    return request.response.promise
  }

  frame(run: () => void): () => void {
    this.#frames.add(run)
    return () => this.#frames.delete(run)
  }

  /** Lets time go by until another stream or poll is asked for: half a minute at most. */
  async nextTry(): Promise<void> {
    const tries = () => this.sources.length + this.requests.length
    const before = tries()
    for (let waits = 0; tries() === before && waits < 300; waits++) await this.clock.advance(100)
  }

  /** Draws a frame. Answers how many waited for it. */
  draw(): number {
    const frames = [...this.#frames]
    this.#frames.clear()
    for (const run of frames) run()
    return frames.length
  }

  /** The newest stream of an EventSource. */
  get source(): FakeEventSource {
    const source = this.sources.at(-1)
    if (!source) throw new Error('No EventSource was made')
    return source
  }

  /** The newest request. */
  get request(): FakeRequest {
    const request = this.requests.at(-1)
    if (!request) throw new Error('Nothing was asked for')
    return request
  }
}
