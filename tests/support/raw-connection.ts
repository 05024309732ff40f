import net from 'node:net'

/** A TCP connection in the hands of a test: for what `fetch` does not do. */
export class RawConnection {
  /** All that was received. */
  text = ''
  isClosed = false
  readonly #socket: net.Socket
  readonly #decoder = new TextDecoder()
  #changed = Promise.withResolvers<void>()

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Uint8Array) => {
      this.text += this.#decoder.decode(bytes, { stream: true })
      this.#change()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.#change()
    })
    // A reset is one way to be closed.
    socket.on('error', () => {})
  }

  static open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve, reject) => {
      const socket = net.connect(Number(port), hostname)
      socket.once('connect', () => resolve(new RawConnection(socket)))
      socket.once('error', reject)
    })
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  /** Asks for a path, and resolves once there is an answer. */
  async get(path: string, headers: Record<string, string> = {}): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    this.write([`GET ${path} HTTP/1.1`, 'host: localhost', ...lines, '', ''].join('\r\n'))
    await this.receive(/\r\n\r\n/)
  }

  /** Resolves once what was received matches, or the other end has closed. */
  async receive(pattern: RegExp): Promise<void> {
    while (!this.isClosed && !pattern.test(this.text)) await this.#changed.promise
  }

  /** Stops reading: what comes fills the buffers of the system, and then the sender has to wait. */
  stall(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** The body of a chunked answer (RFC 9112, 7.1), as far as it came. */
export function chunkedBody(text: string): string {
  let body = ''
  let at = text.indexOf('\r\n\r\n') + 4
  for (;;) {
    const end = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, end), 16)
    if (end < 0 || !(size > 0)) return body
    body += text.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}
