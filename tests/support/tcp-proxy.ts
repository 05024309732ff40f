import { connect, createServer, type Socket } from 'node:net'

interface Pair {
  client: Socket
  server: Socket
  /** What the client has sent, to tell connections apart. */
  sent: string
}

/** A proxy of TCP connections on this machine, which a test can make fail as networks do. */
export class TcpProxy {
  readonly port: number
  readonly #listener: ReturnType<typeof createServer>
  readonly #pairs: Set<Pair>

  private constructor(listener: ReturnType<typeof createServer>, port: number, pairs: Set<Pair>) {
    this.#listener = listener
    this.port = port
    this.#pairs = pairs
  }

  static async start(upstream: number): Promise<TcpProxy> {
    const pairs = new Set<Pair>()
    const listener = createServer((client) => {
      const pair: Pair = { client, server: connect(upstream, '127.0.0.1'), sent: '' }
      pairs.add(pair)
      const end = () => {
        pairs.delete(pair)
        client.destroy()
        pair.server.destroy()
      }
      client.on('data', (data) => {
        pair.sent = (pair.sent + data.toString('latin1')).slice(-100_000)
        pair.server.write(data)
      })
      pair.server.on('data', (data) => client.write(data))
      for (const socket of [client, pair.server]) socket.on('error', end).on('close', end)
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
    return new TcpProxy(listener, address.port, pairs)
  }

  /** From now on the clients of connections on which they sent a text get nothing more, though these stay open. */
  mute(text: string): void {
    for (const { server, sent } of this.#pairs) if (sent.includes(text)) server.removeAllListeners('data').resume()
  }

  /** Cuts all connections. */
  cut(): void {
    for (const { client } of this.#pairs) client.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#listener.close(resolve))
  }
}
