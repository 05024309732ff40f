import type { Clock, Timer } from '../../shared/time/clock.ts'
import { encodeComment } from '../../shared/wire/sse.ts'
import { pingMessage } from './messages.ts'
import type { Sink, StreamSource } from './stream.ts'

/** What an open stream follows: a job, or an owner's jobs. */
export interface Follower {
  /** Sends what the stream lacks, as far as there is room. */
  pump(): void
  /** Stops following. */
  leave(): void
  /** Whether it has sent all that there was when it came. */
  readonly hasJoined: boolean
}

/** How long something may be followed. */
export interface Access {
  /** When the access runs out: milliseconds since the epoch. */
  expiresAt?: number | undefined
  /** The session that it ends with. */
  session?: string | undefined
  /** The series of the token that lets one job be followed: it ends with that. */
  tokenSeries?: number | undefined
}

/** Who opened a stream, and when it has to end. */
export interface Viewer extends Access {
  /** Whose streams are counted, unless `jobs` are. */
  sub: string
  /** The jobs whose watch tokens opened the stream, each once: it is one of theirs. */
  jobs?: readonly string[]
  /** Aborts when the request is over. Some runtimes tell only this way that a reader left. */
  signal?: AbortSignal | undefined
}

const encoder = new TextEncoder()

/** The bytes of messages. */
export const encode = (text: string): Uint8Array => encoder.encode(text)

/** One open response, and the followers that write to it. There are many, so each is made of little: no function is made for one alone. */
export class EventStream implements StreamSource {
  readonly followers = new Set<Follower>()
  readonly viewer: Viewer
  readonly #clock: Clock
  /** What was written before there was a sink: the first bytes, and the ends of jobs that are over already. */
  #early: Uint8Array[] | undefined
  /** Those that ran too: a stream does not live for many. */
  readonly #timers: Timer[] = []
  readonly #onDone: (stream: EventStream) => void
  /** What ends with a session. */
  #bound: { session: string; end: () => void }[] | undefined
  #sink: Sink | undefined
  #isGreeted = false
  /** What let it follow one of its jobs is over. */
  #hasLostAccess = false
  #done = false

  /**
   * @param first written at once: a runtime may hold back the headers until there is a byte of the body
   * @param onDone called once, however the stream ends
   */
  constructor(clock: Clock, viewer: Viewer, first: string, onDone: (stream: EventStream) => void) {
    this.#clock = clock
    this.viewer = viewer
    this.#early = [encode(first)]
    this.#onDone = onDone
    viewer.signal?.addEventListener('abort', this)
  }

  /** The request is over. */
  handleEvent(): void {
    this.done()
  }

  start(sink: Sink): void {
    for (const bytes of this.#early ?? []) sink.write(bytes)
    this.#early = undefined
    // The reader may have left, or all may have been said, while the stream was being prepared.
    if (this.#done) sink.close()
    else this.#sink = sink
  }

  pull(): void {
    for (const follower of this.followers) follower.pump()
  }

  cancel(): void {
    this.done()
  }

  get isDone(): boolean {
    return this.#done
  }

  /** Whether the reader keeps up. */
  get hasRoom(): boolean {
    return !this.#done && this.#sink?.hasRoom === true
  }

  write(bytes: Uint8Array): void {
    if (this.#done) return
    if (!this.#sink) {
      this.#early?.push(bytes)
      return
    }
    try {
      this.#sink.write(bytes)
    } catch {
      // The reader left and the runtime has not told us yet.
      this.done()
    }
  }

  /**
   * Says what time it is, once all followers have sent what there was: devices have clocks of their own, and would else be told half a minute
   * late how old what they show is.
   *
   * @param version of the document, on a stream of one job
   */
  greet(version?: number): void {
    if (this.#isGreeted || !this.#hasJoined) return
    this.#isGreeted = true
    this.write(encode(pingMessage(this.#clock.now(), version)))
  }

  /** Says what time it is. Clients take a ping to mean that they have everything: before that a comment keeps the connection open. */
  ping(): void {
    if (!this.hasRoom) return
    this.write(encode(this.#hasJoined ? pingMessage(this.#clock.now()) : encodeComment('more follows')))
  }

  get #hasJoined(): boolean {
    for (const { hasJoined } of this.followers) if (!hasJoined) return false
    return true
  }

  /** Runs something later, unless the stream is done by then. */
  after(ms: number, run: () => void): void {
    if (this.#done) return
    this.#timers.push(this.#clock.setTimeout(run, ms))
  }

  /** Has something ended with a session. @returns whether it is the first with that one */
  bind(session: string, end: () => void): boolean {
    this.#bound ??= []
    const isFirst = !this.#bound.some((other) => other.session === session)
    this.#bound.push({ session, end })
    return isFirst
  }

  /**
   * A follower has said its last word.
   *
   * A stream that follows nothing any more stays open, for a client would only come back to it; but not when its access to a job is over: then
   * the client is told so, and the place is for others.
   *
   * @param isAccessOver whether that is why
   */
  drop(follower: Follower, isAccessOver: boolean): void {
    this.followers.delete(follower)
    follower.leave()
    this.#hasLostAccess ||= isAccessOver
    if (this.#hasLostAccess && this.followers.size === 0) this.close()
    else this.greet()
  }

  /** A session is over: ends what is bound to it, and the response if nothing else is followed. */
  endSession(session: string): void {
    const over = this.#bound?.filter((bound) => bound.session === session) ?? []
    for (const { end } of over) end()
    if (over.length > 0 && this.followers.size === 0) this.close()
  }

  /** Ends the response. */
  close(): void {
    if (this.#done) return
    try {
      this.#sink?.close()
    } catch {
      // Closed or errored by its reader already.
    }
    this.done()
  }

  /** Lets go of everything. Idempotent: both `cancel()` and the request's signal call it. */
  done(): void {
    if (this.#done) return
    this.#done = true
    for (const timer of this.#timers) this.#clock.clearTimeout(timer)
    for (const follower of this.followers) follower.leave()
    this.followers.clear()
    this.viewer.signal?.removeEventListener('abort', this)
    this.#onDone(this)
  }
}
