import { afterEach, describe, expect, test } from 'bun:test'
import net from 'node:net'
import { openBunStream } from '../../../../../server/entries/bun/stream.ts'
import { openStandardStream, type Sink } from '../../../../../server/hub/stream/stream.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A server of one stream, the hands of a test on both of its ends. */
class OneStream {
  readonly started = Promise.withResolvers<Sink>()
  readonly cancelled = Promise.withResolvers<void>()
  pulled = Promise.withResolvers<void>()
  pulls = 0
  cancels = 0
  readonly #server: Bun.Server<undefined>

  constructor(open = openBunStream) {
    const fetch = () =>
      new Response(
        open({
          start: (sink) => {
            sink.write(encode('first\n'))
            this.started.resolve(sink)
          },
          pull: () => {
            this.pulls += 1
            this.pulled.resolve()
          },
          cancel: () => {
            this.cancels += 1
            this.cancelled.resolve()
          },
        }),
      )
    this.#server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
  }

  async connect(): Promise<net.Socket> {
    const socket = net.connect(this.#server.port ?? 0, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return socket
  }

  stop(): void {
    this.#server.stop(true)
  }
}

let stream: OneStream | undefined
afterEach(() => stream?.stop())

/** Reads until the end of a chunked body, and answers it without its framing. */
async function readAll(socket: net.Socket): Promise<string> {
  let text = ''
  for await (const bytes of socket) {
    text += bytes.toString('latin1')
    if (text.endsWith('\r\n0\r\n\r\n')) break
  }
  return text
    .slice(text.indexOf('\r\n\r\n') + 4)
    .split('\r\n')
    .filter((_, line) => line % 2 === 1)
    .join('')
}

/** Writes until there is no room, and answers how much. */
async function fill(sink: Sink): Promise<number> {
  const bytes = encode('x'.repeat(65_536))
  let written = 0
  while (sink.hasRoom && written < 256 * 1_048_576) {
    sink.write(bytes)
    written += bytes.length
    await turn()
  }
  return written
}

for (const [name, open] of Object.entries({ openBunStream, openStandardStream: openStandardStream })) {
  describe(name, () => {
    test(`${name} asks for more when it begins, and ends after all that was written`, async () => {
      stream = new OneStream(open)
      const socket = await stream.connect()
      const sink = await stream.started.promise
      await stream.pulled.promise
      sink.write(encode('second\n'))
      await turn()
      sink.write(encode('third\n'))
      sink.close()
      expect(await readAll(socket)).toBe('first\nsecond\nthird\n')
    })

    test(`${name} has no room while nobody reads, asks for more once somebody does, and loses nothing`, async () => {
      stream = new OneStream(open)
      const socket = await stream.connect()
      const sink = await stream.started.promise
      socket.pause()
      await stream.pulled.promise
      const written = await fill(sink)
      expect(sink.hasRoom).toBe(false)
      // What is written all the same is kept too: an end is said to slow readers as well.
      sink.write(encode('end'))
      stream.pulled = Promise.withResolvers()
      const reading = readAll(socket)
      await stream.pulled.promise
      expect(sink.hasRoom).toBe(true)
      sink.close()
      const text = await reading
      expect([text.length, text.slice(-4)]).toEqual(['first\n'.length + written + 'end'.length, 'xend'])
    })

    test(`${name} is cancelled once when the reader leaves, idle or full, and takes what is written later`, async () => {
      for (const isFull of [false, true]) {
        stream = new OneStream(open)
        const socket = await stream.connect()
        const sink = await stream.started.promise
        socket.pause()
        if (isFull) await fill(sink)
        socket.destroy()
        await stream.cancelled.promise
        const writeLate = () => sink.write(encode('late'))
        // A throw says that the reader is gone; a rejection that nobody handles would end the process.
        try {
          writeLate()
        } catch {}
        await turn()
        expect(stream.cancels).toBe(1)
        stream.stop()
      }
    })
  })
}

test('openBunStream is read like any other stream', async () => {
  let pulls = 0
  const body = openBunStream({
    start: (sink) => sink.write(encode('first')),
    pull: () => {
      pulls += 1
    },
    cancel: () => {},
  })
  const { value } = await body.getReader().read()
  expect([new TextDecoder().decode(value), pulls]).toEqual(['first', 1])
})
