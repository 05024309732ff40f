import type { Socket } from 'bun'
import type { Target } from '../target.ts'

const HEAD_END = '\r\n\r\n'

/** One connection, which has one request under way at most. */
interface Connection {
  socket: Socket<Connection>
  unsent: Uint8Array
  answer: string
  settle: { resolve: (body: string) => void; reject: (reason: Error) => void } | undefined
}

/** Connections that stay open, for requests that are answered by something short. */
export class Publishers {
  readonly #free: Connection[] = []
  readonly #all: Connection[] = []
  readonly #waiting: ((connection: Connection) => void)[] = []

  static async open(target: Target, count: number): Promise<Publishers> {
    const publishers = new Publishers()
    for (let opened = 0; opened < count; opened++) await publishers.#connect(target.port)
    return publishers
  }

  /** Sends a request once a connection is free, and answers the body of what came back. @throws Error unless that is a success */
  async send(request: Uint8Array): Promise<string> {
    const connection = this.#free.pop() ?? (await new Promise<Connection>((resolve) => this.#waiting.push(resolve)))
    try {
      return await new Promise((resolve, reject) => {
        connection.settle = { resolve, reject }
        connection.unsent = request.subarray(connection.socket.write(request))
      })
    } finally {
      const next = this.#waiting.shift()
      if (next) next(connection)
      else this.#free.push(connection)
    }
  }

  close(): void {
    this.#free.length = 0
    for (const { socket } of this.#all) socket.end()
  }

  /** Opens another in place of one that the server closed, as it may one that was not used for some seconds. */
  #replace(connection: Connection, port: number): void {
    connection.settle?.reject(new Error('The server closed the connection'))
    const place = this.#free.indexOf(connection)
    if (place < 0) return
    this.#free.splice(place, 1)
    void this.#connect(port)
  }

  async #connect(port: number): Promise<void> {
    await Bun.connect<Connection>({
      hostname: '127.0.0.1',
      port,
      socket: {
        open: (socket) => {
          const connection: Connection = { socket, unsent: new Uint8Array(), answer: '', settle: undefined }
          socket.data = connection
          this.#free.push(connection)
          this.#all.push(connection)
        },
        drain: ({ data }) => {
          data.unsent = data.unsent.subarray(data.socket.write(data.unsent))
        },
        data: ({ data }, bytes) => receive(data, bytes),
        close: ({ data }) => this.#replace(data, port),
      },
    })
  }
}

function receive(connection: Connection, bytes: Buffer): void {
  connection.answer += bytes.toString('latin1')
  const { answer, settle } = connection
  const head = answer.indexOf(HEAD_END)
  if (head < 0) return
  const length = Number(/\r\ncontent-length: *([0-9]+)/i.exec(answer.slice(0, head))?.[1] ?? 0)
  const body = answer.slice(head + HEAD_END.length)
  if (body.length < length) return
  connection.answer = ''
  connection.settle = undefined
  if (/^HTTP\/1\.1 2/.test(answer)) settle?.resolve(body)
  else settle?.reject(new Error(`Refused: ${answer}`))
}
