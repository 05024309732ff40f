import { connect, createServer, type Socket } from 'node:net'

interface Pair {
  client: Socket
  server: Socket
  /** What the client has sent, to tell connections apart. */
  sent: string
  /** What waits to be sent on to the server. `undefined`: nothing is held. */
  held: Buffer[] | undefined
}

/** A proxy of TCP connections on this machine, which a test can make fail as networks do. */
export class TcpProxy {
  /** Connections that clients have made so far. */
  accepted = 0
  /** The port that new connections are for. */
  upstream: number
  readonly port: number
  readonly #listener: ReturnType<typeof createServer>
  readonly #pairs = new Set<Pair>()
  #holds: string | undefined
  #isSwallowing = false

  private constructor(listener: ReturnType<typeof createServer>, port: number, upstream: number) {
    this.upstream = upstream
    this.#listener = listener
    this.port = port
  }

  static async start(upstream: number): Promise<TcpProxy> {
    const listener = createServer()
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
    const proxy = new TcpProxy(listener, address.port, upstream)
    listener.on('connection', (client) => proxy.#accept(client))
    return proxy
  }

  #accept(client: Socket): void {
    this.accepted += 1
    const server = connect(this.upstream, '127.0.0.1')
    const pair: Pair = { client, server, sent: '', held: this.#isSwallowing ? [] : undefined }
    this.#pairs.add(pair)
    client.on('data', (data: Buffer) => {
      const text = data.toString('latin1')
      pair.sent = (pair.sent + text).slice(-100_000)
      if (this.#holds !== undefined && text.includes(this.#holds)) pair.held ??= []
      if (pair.held) pair.held.push(data)
      else server.write(data)
    })
    server.on('data', (data) => client.write(data))
    for (const socket of [client, server]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        // What is on its way arrives, though its sender has gone.
        if (!pair.held?.length || socket === server) this.#end(pair)
      })
    }
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }

  /** From now on the clients of connections on which they sent a text get nothing more, though these stay open. */
  mute(text: string): void {
    for (const { server, sent } of this.#pairs) if (sent.includes(text)) server.removeAllListeners('data').resume()
  }

  /** From now on what the server sends on connections on which a client sent a text is not taken, until `release()`. */
  stall(text: string): void {
    for (const { server, sent } of this.#pairs) if (sent.includes(text)) server.pause()
  }

  /** From now on a connection on which a client sends a text delays that and all after it, until `release()`. */
  hold(text: string): void {
    this.#holds = text
  }

  /** Parts the network: all connections stay open but carry nothing, new ones too, until `release()`. */
  part(): void {
    this.#isSwallowing = true
    for (const pair of this.#pairs) {
      pair.held ??= []
      pair.server.pause()
    }
  }

  /** Sends on what was held. */
  release(): void {
    this.#holds = undefined
    this.#isSwallowing = false
    for (const pair of this.#pairs) {
      const { held = [], server, client } = pair
      pair.held = undefined
      server.resume()
      for (const data of held) server.write(data)
      if (client.destroyed) server.end()
    }
  }

  /** Ends the connections at the server, and tells no client. */
  halve(): void {
    for (const { client, server } of this.#pairs) {
      server.removeAllListeners('close')
      client.removeAllListeners('data').resume()
      server.destroy()
    }
  }

  /** Cuts all connections. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#listener.close(resolve))
  }
}
