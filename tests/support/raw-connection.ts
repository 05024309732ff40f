import net from 'node:net'

/** A TCP connection in the hands of a test: for what `fetch` does not do. */
export class RawConnection {
  /** All that was received. */
  text = ''
  isClosed = false
  readonly #socket: net.Socket
  readonly #decoder = new TextDecoder()
  #body = ''
  /** Where in the text the next chunk of the body begins. */
  #chunk = -1
  #changed = Promise.withResolvers<void>()

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Uint8Array) => {
      this.text += this.#decoder.decode(bytes, { stream: true })
      this.#joinChunks()
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

  write(text: string | Uint8Array): void {
    this.#socket.write(text)
  }

  /** Asks for a path, and resolves once there is an answer. */
  async get(path: string, headers: Record<string, string> = {}): Promise<void> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    this.write([`GET ${path} HTTP/1.1`, 'host: localhost', ...lines, '', ''].join('\r\n'))
    await this.receive(/\r\n\r\n/)
  }

  /** The body of an answer in chunks (RFC 9112, 7.1), as far as it came. Where a chunk ends means nothing: proxies cut them anew. */
  get body(): string {
    return this.#body
  }

  /** Resolves once what was received matches, or the other end has closed. */
  async receive(pattern: RegExp): Promise<void> {
    while (!this.isClosed && !pattern.test(this.text)) await this.#changed.promise
  }

  /** Resolves once the body matches, or the other end has closed. */
  async receiveBody(pattern: RegExp): Promise<void> {
    while (!this.isClosed && !pattern.test(this.#body)) await this.#changed.promise
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

  #joinChunks(): void {
    if (this.#chunk < 0) {
      const head = this.text.indexOf('\r\n\r\n')
      if (head < 0) return
      this.#chunk = head + 4
    }
    for (;;) {
      const end = this.text.indexOf('\r\n', this.#chunk)
      const size = Number.parseInt(this.text.slice(this.#chunk, end), 16)
      if (end < 0 || !(size > 0) || this.text.length < end + 2 + size) return
      this.#body += this.text.slice(end + 2, end + 2 + size)
      this.#chunk = end + 2 + size + 2
    }
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
