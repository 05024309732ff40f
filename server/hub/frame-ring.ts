import { encode } from './event-stream.ts'
import type { Audience } from './messages.ts'

/** Frames kept for watchers that are a little behind. */
const FRAMES = 8
/** Bytes that all of them may take together. */
const BYTES = 64 * 1024

/** What leaves together: what brings a document from one version to another, encoded at most once for each audience. */
export class Frame {
  readonly from: number
  readonly to: number
  /** The job's own end is in it. */
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

  /** The frame that continues a version. */
  after(version: number): Frame | undefined {
    return this.#frames.find(({ from }) => from === version)
  }

  /** Drops the oldest frames that are over the bounds. Called once a frame was sent, when its size is known. */
  trim(): void {
    let bytes = this.#frames.reduce((sum, frame) => sum + frame.size, 0)
    while (this.#frames.length > FRAMES || bytes > BYTES) bytes -= this.#frames.shift()?.size ?? bytes
  }

  clear(): void {
    this.#frames = []
  }
}
