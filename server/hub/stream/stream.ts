/** The writing end of an open response. */
export interface Sink {
  /** Whether the client keeps up: bytes written while it does not wait in memory. */
  readonly hasRoom: boolean
  /** Hands bytes to the runtime. @throws when the client has disconnected */
  write(bytes: Uint8Array): void
  /** Ends the response after the bytes written so far. */
  close(): void
}

/** Fills a stream. */
export interface StreamSource {
  /** Called once, before `pull()` and `cancel()`. */
  start(sink: Sink): void
  /** Called when there is room again. */
  pull(): void
  /** Called when the client has disconnected. */
  cancel(): void
}

/** Makes a stream: the seam for runtimes with a faster implementation. */
export type OpenStream = (source: StreamSource) => ReadableStream<Uint8Array>

/** Makes streams of the WHATWG Streams Standard, which work on every runtime. @param highWaterMark unread bytes from which a client counts as slow */
export const standardStreams =
  (highWaterMark: number): OpenStream =>
  (source) =>
    new ReadableStream<Uint8Array>(
      {
        start: (controller) =>
          source.start({
            get hasRoom() {
              return (controller.desiredSize ?? 0) > 0
            },
            write: (bytes) => controller.enqueue(bytes),
            close: () => controller.close(),
          }),
        pull: () => source.pull(),
        cancel: () => source.cancel(),
      },
      // Not `type: "bytes"` with a size: such a stream never delivers.
      new ByteLengthQueuingStrategy({ highWaterMark }),
    )

/** Used where the runtime brings no faster stream. */
export const openStandardStream: OpenStream = standardStreams(16 * 1024)
