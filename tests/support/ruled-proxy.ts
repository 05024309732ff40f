/** A real HTTP server in front of another. A test gives it a rule for what it answers by itself. */
export class RuledProxy {
  /** Ends in a slash. */
  readonly url: string
  /** The requests that it got: `POST /api/jobs`. */
  readonly seen: string[] = []
  /** Its own answer to a request; `undefined` passes the request on. */
  rule: (request: Request) => Response | undefined | Promise<Response | undefined> = () => undefined
  readonly #server: Bun.Server<undefined>

  /** @param upstream ends in a slash */
  constructor(upstream: string) {
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        const { method, headers, url, signal } = request
        const { pathname, search } = new URL(url)
        this.seen.push(`${method} ${pathname}`)
        const own = await this.rule(request)
        if (own) return own
        const body = method === 'POST' ? await request.text() : null
        const passed: RequestInit = { method, headers, body, signal, redirect: 'manual' }
        return fetch(new URL(pathname + search, upstream), passed).catch(() => new Response(null, { status: 502 }))
      },
    })
    this.url = this.#server.url.href
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
  }
}
