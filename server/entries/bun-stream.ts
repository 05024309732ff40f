import type { OpenStream, Sink, StreamSource } from '../hub/stream.ts'

/**
 * A stream that Bun writes to its socket with no queue in between: half the memory of a standard one, and less work a write.
 *
 * What is written in one turn of the event loop leaves together, the first time with the headers in front of it.
 */
export const openBunStream: OpenStream = (source) =>
  // The standard's types hide Bun's own of the constructor.
  new ReadableStream(new DirectStream(source) as unknown as UnderlyingDefaultSource<Uint8Array>)

/** Both ends of a stream in one object: there are many. */
class DirectStream implements Bun.DirectUnderlyingSource<Uint8Array>, Sink {
  readonly type = 'direct'
  hasRoom = true
  readonly #source: StreamSource
  #controller: ReadableStreamDirectController | undefined

  constructor(source: StreamSource) {
    this.#source = source
  }

  /** Called once, when the body goes to a socket; each time that more is asked for, when it goes to a reader. */
  pull(controller: ReadableStreamDirectController): void {
    if (!this.#controller) {
      this.#controller = controller
      this.#source.start(this)
    }
    this.#source.pull()
  }

  cancel(): void {
    this.#source.cancel()
  }

  write(bytes: Uint8Array): void {
    const written = this.#controller?.write(bytes)
    if (typeof written !== 'object') return
    // The socket is full. Bun holds the bytes, and resolves once they or the reader are gone.
    this.hasRoom = false
    const resume = () => {
      this.hasRoom = true
      this.#source.pull()
    }
    written.then(resume, resume)
  }

  close(): void {
    this.#controller?.close()
  }
}
