import type { Receipt } from '../../../shared/wire/api.ts'
import { fullName, type Principal } from '../../auth/access.ts'
import { type Problem, ProblemError, problems, refuse } from '../../errors.ts'
import { RequestFollower } from '../../hub/request-follower.ts'
import type { EventStream, Viewer } from '../../hub/stream/event-stream.ts'
import type { IdempotencyKey } from '../../jobs/engine.ts'
import { type EventParser, type JobBatch, LARGE_TEXT, lastOf } from '../body/event-parser.ts'
import type { RouteContext } from '../request/context.ts'
import { problemText } from '../request/responses.ts'
import type { Socket, SocketEvents } from './web-socket.ts'

/** Most frames of a connection that are not answered. */
export const WINDOW = 64
/** Their most characters, in bodies of one batch: as many as a request for several jobs may have. */
const BODIES_UNANSWERED = 4
/** How long a client may send nothing: milliseconds. */
export const IDLE_MS = 300_000
/** Unread bytes of answers from which the connection is closed: its client does not read. */
const UNREAD_BYTES = 1_048_576
/** The beginning of a frame. Its number comes first, so that a frame that is refused unparsed has an answer. */
const BEGINNING = /^\s*\{\s*"n"\s*:\s*(0|[1-9]\d{0,14})\s*,/

/** Close codes (RFC 6455, 7.4.1). */
const DONE = 1000
const GOING_AWAY = 1001
const NOT_TEXT = 1003
const POLICY = 1008
const TOO_BIG = 1009
const FAILED = 1011

/** A frame that was received. */
interface Received {
  readonly n: string
  /** When it came, on the monotonic clock. */
  readonly start: number
  /** Characters. */
  readonly length: number
  /** Its batch as JSON, or its refusal: then nothing of it is kept. */
  readonly json: string | ProblemError
}

/** A frame that is ready to be published, or its refusal. */
interface Frame extends Pick<Received, 'n' | 'start' | 'length'> {
  readonly batch: JobBatch | ProblemError
  readonly key?: IdempotencyKey | undefined
}

type Parts = Pick<
  RouteContext,
  'clock' | 'digestOf' | 'hub' | 'jobs' | 'limits' | 'metrics' | 'onError' | 'rates' | 'turns'
>

/**
 * The WebSocket of a producer: frames `{n, job, events, key?, epoch?}`, which are answered by their number, and requests of watchers, which
 * are pushed. A frame without events asks for the receipt, and for what is pushed.
 *
 * Frames are prepared one by one, and published without waiting for the answers to those before: so those of one job are applied in order,
 * and one commit takes many.
 */
export class ReportSocket {
  readonly #parts: Parts
  readonly #principal: Principal
  readonly #who: string
  readonly #parser: EventParser
  readonly #onRefused: (problem: Problem) => void
  readonly #connection: EventStream
  readonly #requests: RequestFollower
  #socket: Socket | undefined
  readonly #queue: Received[] = []
  #isPreparing = false
  /** Frames without an answer, and their characters. */
  #unanswered = { frames: 0, length: 0 }
  #heardAt: number
  #isOver = false
  /** The newest publish of each job, where calls of the engine may overtake each other. */
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * @param onRefused called when the principal may not do what it tried
   * @throws ProblemError 429 when the principal has too many streams
   */
  constructor(parts: Parts, principal: Principal, parser: EventParser, onRefused: (problem: Problem) => void) {
    const { clock, hub, jobs } = parts
    this.#parts = parts
    this.#principal = principal
    this.#who = fullName(principal)
    this.#parser = parser
    this.#onRefused = onRefused
    this.#heardAt = clock.monotonic()
    const viewer = viewerOf(principal)
    this.#connection = hub.openReport(viewer, {
      close: () => this.close(GOING_AWAY, 'The connection is over. Open another.'),
      ping: () => this.#ping(),
    })
    this.#requests = new RequestFollower({
      watch: hub.subscribeQuietly(viewer),
      read: async (job) => (await jobs.read(principal, job, 'publish')).header,
      push: (job, requests) => this.#send(JSON.stringify({ job, ...requests })),
    })
  }

  /** What the runtime calls. */
  get events(): SocketEvents {
    return {
      onOpen: (_, socket) => {
        this.#socket = socket
        // Closed while it was opened.
        if (this.#isOver) socket.close(GOING_AWAY)
      },
      onMessage: ({ data }, socket) => {
        this.#socket = socket
        this.#receive(data)
      },
      onClose: () => this.#end(),
      onError: () => this.#end(),
    }
  }

  close(code = FAILED, reason = 'The server failed.'): void {
    if (this.#isOver) return
    this.#end()
    try {
      this.#socket?.close(code, reason)
    } catch {
      // The client has closed it.
    }
  }

  readonly #fail = (error: unknown): void => {
    this.#parts.onError(error)
    this.close()
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#queue.length = 0
    this.#requests.close()
    this.#connection.done()
  }

  #receive(data: unknown): void {
    if (this.#isOver) return
    this.#heardAt = this.#parts.clock.monotonic()
    const { bodyBytes } = this.#parts.limits
    if (typeof data !== 'string') this.close(NOT_TEXT, 'Send frames as text.')
    else if (data.length > bodyBytes) this.close(TOO_BIG, `A frame has at most ${bodyBytes} bytes.`)
    else if (this.#unanswered.frames >= WINDOW)
      this.close(POLICY, `Wait for answers: at most ${WINDOW} frames may be unanswered.`)
    else if (this.#unanswered.length + data.length > BODIES_UNANSWERED * bodyBytes) {
      this.close(POLICY, `Wait for answers: at most ${BODIES_UNANSWERED * bodyBytes} bytes may be unanswered.`)
    } else this.#take(data)
  }

  #take(data: string): void {
    const [beginning, n] = BEGINNING.exec(data) ?? []
    if (beginning === undefined || n === undefined) {
      this.#refuseForm()
      return
    }
    const { clock, rates } = this.#parts
    const { length } = data
    this.#count({ length }, 1)
    let json: Received['json'] = `{${data.slice(beginning.length)}`
    try {
      rates.takePublish(this.#principal, length)
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      json = error
    }
    this.#queue.push({ n, start: clock.monotonic(), length, json })
    if (!this.#isPreparing) void this.#prepareAll()
  }

  /** @param by 1 for a frame that came, -1 for one that is answered */
  #count({ length }: Pick<Received, 'length'>, by: 1 | -1): void {
    const { frames, length: all } = this.#unanswered
    this.#unanswered = { frames: frames + by, length: all + by * length }
  }

  #refuseForm(): void {
    this.close(POLICY, 'A frame is JSON that begins with {"n":NUMBER,')
  }

  async #prepareAll(): Promise<void> {
    this.#isPreparing = true
    try {
      for (let received = this.#queue.shift(); received; received = this.#queue.shift()) {
        const prepared = this.#prepare(received)
        const frame = prepared instanceof Promise ? await prepared : prepared
        if (this.#isOver) return
        if (!frame) return this.#refuseForm()
        this.#inOrder(frame).catch(this.#fail)
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isPreparing = false
    }
  }

  /**
   * Parses a frame: at once, unless it is large or has a key, or this turn of the event loop has lasted long enough.
   *
   * @returns `undefined` if it is not JSON
   */
  #prepare({ json, ...frame }: Received): Frame | undefined | Promise<Frame | undefined> {
    const refusal = (error: unknown): Frame | undefined => {
      if (!(error instanceof ProblemError)) throw error
      return error.problem.status === 400 ? undefined : { ...frame, batch: error }
    }
    try {
      if (json instanceof ProblemError) throw json
      const batch = this.#parse(json)
      if (batch instanceof Promise)
        return batch.then((parsed) => this.#withKey({ ...frame, batch: parsed })).catch(refusal)
      return this.#withKey({ ...frame, batch })
    } catch (error) {
      return refusal(error)
    }
  }

  #parse(json: string): JobBatch | Promise<JobBatch> {
    const { turns } = this.#parts
    const steps = this.#parser.batch(json, true)
    if (!turns) return lastOf(steps)
    if (json.length <= LARGE_TEXT) return turns.run(this.#who, () => lastOf(steps))
    return turns.runHeavy(this.#who, json.length, () => turns.runSteps(this.#who, steps))
  }

  /** Publishes a frame after those before it of its job. */
  #inOrder(frame: Frame): Promise<void> {
    const { batch } = frame
    if (this.#parts.turns || batch instanceof ProblemError) return this.#publish(frame)
    const done = (this.#tails.get(batch.job) ?? Promise.resolve()).then(() => this.#publish(frame))
    this.#tails.set(batch.job, done)
    return done.finally(() => {
      if (this.#tails.get(batch.job) === done) this.#tails.delete(batch.job)
    })
  }

  async #publish(frame: Frame): Promise<void> {
    const { clock, jobs, metrics, onError } = this.#parts
    const { start, batch, key } = frame
    try {
      if (batch instanceof ProblemError) throw batch
      const { job, epoch, events, length } = batch
      const isEmpty = events.length === 0
      const receipt = isEmpty
        ? await jobs.receipt(this.#principal, job, epoch)
        : await jobs.publish(this.#principal, job, events, key, epoch, length)
      if (!isEmpty) metrics.timePublish(clock.monotonic() - start)
      this.#answer(frame, JSON.stringify(receipt).slice(1))
      this.#follow(job, receipt)
    } catch (error) {
      if (!(error instanceof ProblemError)) onError(error)
      const { problem, headers } = error instanceof ProblemError ? error : refuse(problems.internal())
      metrics.countRefusal(problem)
      const after = headers['retry-after']
      this.#answer(frame, `"problem":${problemText(problem)}${after === undefined ? '' : `,"retryAfter":${after}`}}`)
      if (problem.status === 401 || problem.status === 403) this.#onRefused(problem)
      // A token of one job that has ended allows nothing any more.
      if (problem.status === 401) this.close(POLICY, problem.detail)
    }
  }

  #follow(job: string, { version, cancelRequested, pauseRequested }: Receipt): void {
    this.#requests.follow(job, { version, cancelRequested, pauseRequested })
  }

  #answer(frame: Frame, rest: string): void {
    this.#count(frame, -1)
    this.#send(`{"n":${frame.n},${rest}`)
  }

  #ping(): void {
    const { clock } = this.#parts
    if (clock.monotonic() - this.#heardAt > IDLE_MS) this.close(DONE, 'Nothing was sent for five minutes.')
    else {
      this.#send(JSON.stringify({ at: new Date(clock.now()).toISOString() }))
      void this.#checkTokens()
    }
  }

  /** Closes once the jobs of its tokens are gone, or their tokens revoked: of a client that sends nothing, no frame would tell. */
  async #checkTokens(): Promise<void> {
    try {
      for (const { job } of this.#principal.jobs ?? []) await this.#parts.jobs.read(this.#principal, job, 'publish')
    } catch (error) {
      if (error instanceof ProblemError) this.close(POLICY, error.problem.detail)
      // A store that fails says so to whoever sends a frame.
    }
  }

  #withKey(frame: Frame & { batch: JobBatch }): Frame | Promise<Frame> {
    const { key, events } = frame.batch
    if (key === undefined) return frame
    const digested = this.#parts.digestOf(events)
    if (typeof digested === 'string') return { ...frame, key: { key, digest: digested } }
    return digested.then((digest) => ({ ...frame, key: { key, digest } }))
  }

  #send(text: string): void {
    if (this.#isOver) return
    try {
      this.#socket?.send(text)
    } catch {
      this.#end()
      return
    }
    const { bufferedAmount = 0 } = (this.#socket?.raw ?? {}) as { bufferedAmount?: number }
    if (bufferedAmount > UNREAD_BYTES) this.close(POLICY, 'The answers are not read.')
  }
}

/** Whose streams a connection counts against, and when its access ends. */
function viewerOf({ sub, tenant, jobs, expiresAt, session }: Principal): Viewer {
  if (!jobs) return { sub, tenant, expiresAt, session }
  const [grant] = jobs
  return { sub, tenant, expiresAt: grant?.expiresAt, session: grant?.session, jobs: jobs.map(({ job }) => job) }
}
