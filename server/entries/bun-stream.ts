import type { OpenStream, Sink, StreamSource } from '../hub/stream.ts'

/**
 * A stream that Bun writes to its socket with no queue in between: half the memory of a standard one, and less work a write.
 *
 * What is written in one turn of the event loop leaves together, the first time with the headers in front of it.
 */
export const openStream: OpenStream = (source) => {
  let sink: DirectSink | undefined
  const direct: Bun.DirectUnderlyingSource<Uint8Array> = {
    type: 'direct',
    // Once, when the body goes to a socket; each time that more is asked for, when it goes to a reader.
    pull(controller) {
      if (!sink) {
        sink = new DirectSink(source, controller)
        source.start(sink)
      }
      source.pull()
    },
    cancel: () => source.cancel(),
  }
  // The standard's types hide Bun's own of the constructor.
  return new ReadableStream(direct as unknown as UnderlyingDefaultSource<Uint8Array>)
}

class DirectSink implements Sink {
  hasRoom = true
  readonly #source: StreamSource
  readonly #controller: ReadableStreamDirectController

  constructor(source: StreamSource, controller: ReadableStreamDirectController) {
    this.#source = source
    this.#controller = controller
  }

  write(bytes: Uint8Array): void {
    const written = this.#controller.write(bytes)
    if (typeof written === 'number') return
    // The socket is full. Bun holds the bytes, and resolves once they or the reader are gone.
    this.hasRoom = false
    const resume = () => {
      this.hasRoom = true
      this.#source.pull()
    }
    written.then(resume, resume)
  }

  close(): void {
    this.#controller.close()
  }
}
