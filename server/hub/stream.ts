/** The writing end of an open response. */
export interface Sink {
  /** Whether the reader keeps up: what is written while it doesn't waits in memory. */
  readonly hasRoom: boolean
  /** Hands bytes to the runtime. Throws when the reader is gone. */
  write(bytes: Uint8Array): void
  /** Ends the response, after what was written. */
  close(): void
}

/** What fills a stream. */
export interface StreamSource {
  /** Called once, before anything else. */
  start(sink: Sink): void
  /** There is room again. */
  pull(): void
  /** The reader is gone. */
  cancel(): void
}

/** How a stream is made: the one seam for a runtime that has a faster one. */
export type OpenStream = (source: StreamSource) => ReadableStream<Uint8Array>

/** Bytes that a reader may leave unread before it counts as slow. */
const HIGH_WATER_MARK = 16 * 1024

/** A stream of the Streams standard: works on every runtime. */
export const openStandardStream: OpenStream = (source) =>
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
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
  )
