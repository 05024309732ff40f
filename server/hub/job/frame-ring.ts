import { encode } from '../stream/event-stream.ts'
import type { Audience } from '../stream/messages.ts'

/** Most frames kept for followers that are a little behind. */
const MAX_FRAMES = 8
/** Most bytes of all kept frames together. */
const MAX_BYTES = 64 * 1024

/** The changes from one version of a job to another, sent in one write. Encoded at most once per audience. */
export class Frame {
  readonly from: number
  readonly to: number
  /** Whether the frame includes the job's `end`. */
  readonly ends: boolean
  readonly #encode: (audience: Audience) => string
  readonly #bytes: Partial<Record<Audience, Uint8Array>> = {}

  constructor(from: number, to: number, ends: boolean, encode: (audience: Audience) => string) {
    this.from = from
    this.to = to
    this.ends = ends
    this.#encode = encode
  }

  bytes(audience: Audience): Uint8Array {
    this.#bytes[audience] ??= encode(this.#encode(audience))
    return this.#bytes[audience]
  }

  get size(): number {
    return (this.#bytes.one?.length ?? 0) + (this.#bytes.many?.length ?? 0)
  }
}

/** The newest frames, bounded in number and bytes. */
export class FrameRing {
  #frames: Frame[] = []

  add(frame: Frame): void {
    this.#frames.push(frame)
  }

  /** The frame that starts at a version. */
  after(version: number): Frame | undefined {
    return this.#frames.find(({ from }) => from === version)
  }

  /** Drops the oldest frames beyond the bounds. Call it after a frame was sent: only then is its size known. */
  trim(): void {
    let bytes = this.#frames.reduce((sum, frame) => sum + frame.size, 0)
    while (this.#frames.length > MAX_FRAMES || bytes > MAX_BYTES) bytes -= this.#frames.shift()?.size ?? bytes
  }

  clear(): void {
    this.#frames = []
  }
}
