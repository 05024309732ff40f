import type { ProblemDocument, Receipt } from '../../shared/wire/api.ts'

/** What a server sends to a producer: an answer to a frame, or what watchers ask of a job. */
export type ReportMessage = Partial<Receipt> & {
  n?: number
  job?: string
  problem?: ProblemDocument
  retryAfter?: number
}

/** A producer's WebSocket. */
export class ReportClient {
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #messages: ReportMessage[] = []
  #wake: (() => void) | undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data))
      // A ping.
      if ('at' in message) return
      this.#messages.push(message)
      this.#wake?.()
    }
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => resolve({ code, reason })
    })
  }

  /**
   * @param url of the server
   * @param ca a certificate to trust
   * @throws Error when it does not accept the connection
   */
  static async open(url: string, headers: Record<string, string>, ca?: string): Promise<ReportClient> {
    const address = new URL('api/report', url.replace(/^http/, 'ws'))
    const tls = ca === undefined ? {} : { tls: { ca } }
    const socket = new WebSocket(address, { headers, ...tls } as unknown as string[])
    const client = new ReportClient(socket)
    const opened = new Promise<void>((resolve) => {
      socket.onopen = () => resolve()
    })
    socket.onerror = () => {}
    const refused = client.closed.then(({ code }) => {
      throw new Error(`Not accepted: ${code}`)
    })
    await Promise.race([opened, refused])
    return client
  }

  /** @param frame anything but text and bytes as JSON */
  send(frame: unknown): void {
    const isRaw = typeof frame === 'string' || frame instanceof Uint8Array
    this.#socket.send(isRaw ? (frame as string) : JSON.stringify(frame))
  }

  /** Sends pings of the protocol (RFC 6455, 5.5.2), which a browser can't: Bun can. */
  ping(times: number): void {
    for (let n = 0; n < times; n += 1) (this.#socket as WebSocket & { ping(): void }).ping()
  }

  /** The next message. @throws Error when the connection closes before */
  async next(): Promise<ReportMessage> {
    const closed = this.closed.then(({ code, reason }) => {
      throw new Error(`Closed: ${code} ${reason}`)
    })
    closed.catch(() => {})
    while (this.#messages.length === 0) {
      await Promise.race([
        closed,
        new Promise<void>((resolve) => {
          this.#wake = resolve
        }),
      ])
    }
    return this.#messages.shift() as ReportMessage
  }

  /** The answer to a frame, which is sent now. Pushes before it are dropped. */
  async ask(frame: { n: number } & Record<string, unknown>): Promise<ReportMessage> {
    this.send(frame)
    for (;;) {
      const message = await this.next()
      if (message.n === frame.n) return message
    }
  }

  async close(): Promise<void> {
    this.#socket.close()
    await this.closed
  }
}
