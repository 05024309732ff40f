import { qualify } from '../../../shared/document/tenant.ts'
import type { Clock, Timer } from '../../../shared/time/clock.ts'
import { encodeComment } from '../../../shared/wire/sse.ts'
import { fullName } from '../../auth/access.ts'
import { pingMessage } from './messages.ts'
import type { Sink, StreamSource } from './stream.ts'
import type { StreamView } from './stream-counts.ts'

/** A stream's subscription to one job, or to an owner's jobs. */
export interface Follower {
  /** Sends what the stream lacks while the stream has room. */
  pump(): void
  /** Unsubscribes. */
  leave(): void
  /** Whether the initial state has been sent completely. */
  readonly hasJoined: boolean
}

/** When a stream's access to a job, or to an owner's jobs, ends. */
export interface Access {
  /** Milliseconds since the Unix epoch. */
  expiresAt?: number | undefined
  /** Id of the session that granted the access: both end together. */
  session?: string | undefined
  /** Series of the job token that granted the access: revoking the series ends it. */
  tokenSeries?: number | undefined
}

/** The principal that opened a stream, and when its access ends. */
export interface Viewer extends Access {
  /** The principal whose limit the stream counts against, unless `jobs` is set. */
  sub: string
  /** The tenant of the principal, whose jobs alone the stream shows. */
  tenant?: string | undefined
  /** Jobs whose watch tokens opened the stream, without duplicates: it counts against the limit of each. */
  jobs?: readonly string[]
  /** Aborts when the request ends. On some runtimes this is the only sign that the client disconnected. */
  signal?: AbortSignal | undefined
}

const encoder = new TextEncoder()

/** Encodes text as UTF-8. */
export const encode = (text: string): Uint8Array => encoder.encode(text)

/** Pages that are read at once, because of engines far away. One, after a page had found no room. */
const MAX_READING = 6

/** One open response and its followers. There may be very many, so an instance is small: it creates no closures. */
export class EventStream implements StreamSource {
  readonly followers = new Set<Follower>()
  readonly viewer: Viewer
  readonly view: StreamView
  readonly #clock: Clock
  /** Bytes written before `start()`, such as `retry` and the `end` of jobs that are gone. */
  #early: Uint8Array[] | undefined
  /** Timers that have not fired. */
  readonly #timers = new Set<Timer>()
  readonly #onDone: (stream: EventStream) => void
  /** Callbacks that end the access granted by a session. */
  #bound: { session: string; end: () => void }[] | undefined
  #sink: Sink | undefined
  /** Number of followers that read a page, the most that may, and those that wait. */
  #reading = 0
  #mostReading = MAX_READING
  #waiting: (() => void)[] | undefined
  #isGreeted = false
  /** Whether its access to at least one job has ended. */
  #hasLostAccess = false
  #done = false

  /**
   * @param first text to write at once: some runtimes hold back the headers until the first byte of the body
   * @param onDone called once, however the stream ends
   */
  constructor(clock: Clock, viewer: Viewer, view: StreamView, first: string, onDone: (stream: EventStream) => void) {
    this.#clock = clock
    this.viewer = viewer
    this.view = view
    this.#early = [encode(first)]
    this.#onDone = onDone
    viewer.signal?.addEventListener('abort', this)
  }

  /** The request's signal aborted. */
  handleEvent(): void {
    this.done()
  }

  start(sink: Sink): void {
    for (const bytes of this.#early ?? []) sink.write(bytes)
    this.#early = undefined
    // The stream may have ended while it was being prepared.
    if (this.#done) sink.close()
    else this.#sink = sink
  }

  pull(): void {
    for (const follower of this.followers) follower.pump()
  }

  cancel(): void {
    this.done()
  }

  /** Who takes turns with others when this stream joins or catches up. Separate from the principal's publishes: see `FairTurns`. */
  get who(): string {
    const { tenant, jobs } = this.viewer
    return jobs ? `streams of job ${qualify(tenant, jobs[0] ?? '')}` : `streams of ${fullName(this.viewer)}`
  }

  /** Whether the stream is open and the client keeps up. */
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
      // The client disconnected, and the runtime has not reported it yet.
      this.done()
    }
  }

  /** Lets a follower read a page and send it, once few enough others do. */
  async readInTurn<T>(readAndSend: () => Promise<T>): Promise<T> {
    if (this.#reading < this.#mostReading) this.#reading += 1
    else {
      this.#waiting ??= []
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
    try {
      return await readAndSend()
    } finally {
      const next = this.#reading > this.#mostReading ? undefined : this.#waiting?.shift()
      if (next) next()
      else this.#reading -= 1
    }
  }

  /** Whether a page that was read can be sent. Otherwise another took the room, and this one is dropped and read again. */
  hasRoomForPage(): boolean {
    if (!this.hasRoom) this.#mostReading = 1
    return this.hasRoom
  }

  /**
   * Sends the first ping once every follower has sent its initial state. It carries the server's time: a client whose clock is off would
   * otherwise show wrong ages until the next ping.
   *
   * @param version of the document; only on a stream of one job
   */
  greet(version?: number): void {
    if (this.#isGreeted || !this.#hasJoined) return
    this.#isGreeted = true
    this.write(encode(pingMessage(this.#clock.now(), version)))
  }

  /** Sends a ping, which tells the client that it is up to date. Before that, a comment keeps the connection open. */
  ping(): void {
    if (!this.hasRoom) return
    this.write(encode(this.#hasJoined ? pingMessage(this.#clock.now()) : encodeComment('more follows')))
  }

  get #hasJoined(): boolean {
    for (const { hasJoined } of this.followers) if (!hasJoined) return false
    return true
  }

  /** Calls `run` after `ms` milliseconds, unless the stream has ended by then. */
  after(ms: number, run: () => void): void {
    if (this.#done) return
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  /** Registers a callback for the end of a session. @returns whether it is this stream's first for that session */
  bind(session: string, end: () => void): boolean {
    this.#bound ??= []
    const isFirst = !this.#bound.some((other) => other.session === session)
    this.#bound.push({ session, end })
    return isFirst
  }

  /**
   * Removes a follower that has sent its last message.
   *
   * A stream without followers stays open, because the client would only reconnect. It closes when its access to a job has ended: the client
   * knows from `end`, and the stream no longer counts against a limit.
   *
   * @param isAccessOver whether the follower ended because its access did
   */
  drop(follower: Follower, isAccessOver: boolean): void {
    this.followers.delete(follower)
    follower.leave()
    this.#hasLostAccess ||= isAccessOver
    if (this.#hasLostAccess && this.followers.size === 0) this.close()
    else this.greet()
  }

  /** Ends the access that a session granted, and the response if no follower is left. */
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
      // The client has already closed or aborted it.
    }
    this.done()
  }

  /** Releases timers, followers and listeners. Idempotent: both `cancel()` and the request's signal call it. */
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
