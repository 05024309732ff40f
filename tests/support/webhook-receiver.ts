/** A webhook as it arrived. */
export interface ReceivedWebhook {
  path: string
  headers: Record<string, string>
  body: string
}

/** A real receiver of webhooks, on loopback. */
export class WebhookReceiver {
  /** In the order in which they came. */
  readonly received: ReceivedWebhook[] = []
  /** What it answers: a status, or a response that a test makes. */
  answer: (request: ReceivedWebhook) => number | Response | Promise<number | Response> = () => 204
  readonly #server: Bun.Server<undefined>
  #wake = Promise.withResolvers<void>()

  readonly #origin: string

  /** @param tls its certificate and key, for https://localhost */
  constructor(tls?: Bun.TLSOptions) {
    this.#server = Bun.serve({
      ...(tls ? { tls } : {}),
      port: 0,
      hostname: '127.0.0.1',
      development: false,
      fetch: async (request) => {
        const { pathname: path } = new URL(request.url)
        const webhook = { path, headers: request.headers.toJSON(), body: await request.text() }
        this.received.push(webhook)
        this.#wake.resolve()
        this.#wake = Promise.withResolvers()
        const answer = await this.answer(webhook)
        return typeof answer === 'number' ? new Response(null, { status: answer }) : answer
      },
    })
    this.#origin = `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${this.#server.port}`
  }

  /** An address of it, ends in the path. */
  url(path: string): string {
    return this.#origin + path
  }

  /** What came to a path, once there is so much. */
  async at(path: string, count = 1): Promise<ReceivedWebhook[]> {
    for (;;) {
      const found = this.received.filter((one) => one.path === path)
      if (found.length >= count) return found
      await this.#wake.promise
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}
