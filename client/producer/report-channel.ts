import type { Sent } from '../../shared/producer/batcher.ts'
import type { failureOf } from '../../shared/producer/http-sender.ts'
import type { Posted } from '../../shared/producer/outbox.ts'
import type { backOff } from '../../shared/time/backoff.ts'
import type { Clock, Random, Timer } from '../../shared/time/clock.ts'
import type { isProblem, isReceipt } from '../../shared/wire/answers.ts'
import type { Receipt } from '../../shared/wire/api.ts'

/** What people ask and answer, as of a version of the job. */
export type Requested = Pick<Receipt, 'version' | 'cancelRequested' | 'pauseRequested' | 'answers'>

/** A job of the reporter. */
export interface ReportedJob {
  readonly id: string
  /** Whether the server knows it, and it has not ended. */
  readonly isLive: boolean
  readonly epoch: string | undefined
  /** Called with what watchers ask, as of a version of the job. */
  hear(asked: Requested): void
}

/** What {@link ReportChannel} needs: functions too, because bundlers put a module that is shared with this one into a file of its own. */
interface ChannelPort {
  readonly backOff: typeof backOff
  readonly failureOf: typeof failureOf
  readonly isProblem: typeof isProblem
  readonly isReceipt: typeof isReceipt
  readonly WebSocket: new (url: string, init: { headers: Record<string, string> }) => WebSocket
  /** The address of the WebSocket. */
  readonly url: string
  /** The token. May reject: the connection is tried again later. */
  token(): Promise<string | undefined>
  readonly jobs: ReadonlySet<ReportedJob>
  /** Whether the work has reported anything since the last call. */
  takeActivity(): boolean
  /** Sends a batch in a request. Never rejects. */
  post(batch: Posted): Promise<Sent>
  /** Its timers do not keep the process alive. */
  readonly clock: Clock
  readonly random: Random
}

/** Most frames without an answer: the window of the server. */
const WINDOW = 64
/** Longer batches go by request: a server that was set to take little closes the connection over one frame. Characters. */
const FRAME_LENGTH = 16_384
/** The wait before the first connection, in milliseconds: short work has no use for one. */
const FIRST_MS = 500
/** How long a handshake, and how long closing may take: milliseconds. */
const OPEN_MS = 10_000
const CLOSE_MS = 3_000
/** How long a connection without jobs stays open for the next job: milliseconds. */
const UNUSED_MS = 1_000
/**
 * While the work reports nothing the connection is opened anew after so many milliseconds, each time after twice as long: between two
 * connections a process that has nothing else to do ends. An open WebSocket would keep it alive, and no runtime can prevent that.
 */
const SILENT_MS = { first: 4_000, most: 60_000 }
/** The wait between two such connections: milliseconds. */
const BREATH_MS = 50
/** Back-off in milliseconds after a lost connection: to a server that has answered on one, and to one that never has. */
const LOST_MS = { first: 1_000, most: 30_000 }
const REFUSED_MS = { first: 30_000, most: 900_000 }
/** Codes with which the server closes a connection that it found wrong. */
const WRONG_CODES = [1003, 1008, 1009, 1011]

interface Frame {
  readonly fields: Pick<Posted, 'job' | 'epoch'> & { key?: string }
  /** JSON. */
  readonly events: string
  /** Called with the answer; without one when the connection was lost. */
  done(answer?: Record<string, unknown>): void
}

/**
 * The WebSocket of a reporter: carries batches as frames, and tells what watchers ask the moment they do. Batches go by request while it is
 * not open, and those that the connection was lost with, under the same keys.
 */
export class ReportChannel {
  readonly #port: ChannelPort
  #socket: WebSocket | undefined
  #isOpen = false
  #isClosed = false
  /** Whether the server has ever answered on such a connection, and none was wrong since. */
  #isTrusted = false
  #failures = 0
  #silentMs = SILENT_MS.first
  /** Of what comes next: to connect, to give up connecting, to connect anew. */
  #timer: Timer | undefined
  #unused: Timer | undefined
  #n = 0
  readonly #waiting: Frame[] = []
  readonly #unanswered = new Map<number, Frame>()

  constructor(port: ChannelPort) {
    this.#port = port
  }

  /** Connects soon, unless it is connected or waits to be. Call it when the server has answered. */
  wake(): void {
    if (!this.#socket && this.#timer === undefined) this.#after(FIRST_MS, () => this.#connect())
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Hears what watchers ask of a job that has reported nothing yet. */
  follow(job: ReportedJob): void {
    if (this.#isOpen) this.#ask(job)
    else this.wake()
  }

  /** Sends a batch. Never rejects. */
  send(batch: Posted): Promise<Sent> {
    const { job, epoch, key, events, signal } = batch
    if (!this.#isOpen || events.length > FRAME_LENGTH) return this.#port.post(batch)
    return new Promise((resolve) => {
      const socket = this.#socket
      let isDone = false
      signal.addEventListener('abort', () => {
        if (isDone) return
        resolve({ retry: true })
        // It is mute.
        this.#lose(socket)
      })
      this.#send({
        fields: { job, epoch, key },
        events,
        done: (answer) => {
          isDone = true
          resolve(this.#sentOf(answer) ?? (signal.aborted ? { retry: true } : this.#port.post(batch)))
        },
      })
    })
  }

  /** Closes the connection soon if no job needs it. Call it when a job has ended. */
  rest(): void {
    const { clock } = this.#port
    if (!this.#socket || this.#unused !== undefined) return
    this.#unused = clock.setTimeout(() => {
      this.#unused = undefined
      if (this.#liveJobs.length === 0) this.#lose(this.#socket, 0)
    }, UNUSED_MS)
  }

  /** Closes for good: batches go by request. */
  close(): void {
    this.#isClosed = true
    this.#lose(this.#socket)
    this.#stopWaiting()
    this.#port.clock.clearTimeout(this.#unused)
  }

  get #liveJobs(): ReportedJob[] {
    return [...this.#port.jobs].filter(({ isLive }) => isLive)
  }

  async #connect(): Promise<void> {
    if (this.#isClosed || this.#socket || this.#liveJobs.length === 0) return
    const { WebSocket, url } = this.#port
    this.#after(OPEN_MS, () => this.#connectLater())
    let token: string | undefined
    try {
      token = await this.#port.token()
    } catch {
      this.#connectLater()
      return
    }
    if (this.#isClosed) return
    let socket: WebSocket
    try {
      socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } })
    } catch {
      // The runtime sends no headers in a handshake.
      this.close()
      return
    }
    this.#socket = socket
    this.#after(OPEN_MS, () => this.#lose(socket))
    socket.onopen = () => this.#opened(socket)
    socket.onmessage = ({ data }) => this.#receive(data)
    socket.onclose = ({ code }) => {
      if (WRONG_CODES.includes(code)) this.#isTrusted = false
      this.#lose(socket)
    }
    socket.onerror = () => this.#lose(socket)
  }

  #opened(socket: WebSocket): void {
    if (socket !== this.#socket) return
    this.#isOpen = true
    this.#breathe()
    for (const job of this.#liveJobs) this.#ask(job)
  }

  #ask(job: ReportedJob): void {
    const { id, epoch } = job
    this.#send({
      fields: { job: id, epoch },
      events: '[]',
      done: (answer) => {
        if (this.#port.isReceipt(answer)) job.hear(answer)
      },
    })
  }

  #breathe(): void {
    this.#after(this.#silentMs, () => {
      const isBusy = this.#port.takeActivity() || this.#unanswered.size > 0
      this.#silentMs = isBusy ? SILENT_MS.first : Math.min(2 * this.#silentMs, SILENT_MS.most)
      if (isBusy) this.#breathe()
      else this.#lose(this.#socket, BREATH_MS)
    })
  }

  /** @param againMs the wait before the next connection, from when this one is closed; omitted: the back-off */
  #lose(socket: WebSocket | undefined, againMs?: number): void {
    if (!socket || socket !== this.#socket) return
    this.#socket = undefined
    this.#isOpen = false
    if (againMs === undefined) this.#connectLater()
    else {
      const again = () => {
        socket.onclose = null
        this.#after(againMs, () => this.#connect())
      }
      this.#after(CLOSE_MS, again)
      socket.onclose = again
    }
    try {
      socket.close(1000)
    } catch {
      // A runtime that does not close what is not open.
    }
    const frames = [...this.#unanswered.values(), ...this.#waiting.splice(0)]
    this.#unanswered.clear()
    for (const frame of frames) frame.done()
  }

  #connectLater(): void {
    const { backOff, random } = this.#port
    this.#failures += 1
    const { first, most } = this.#isTrusted ? LOST_MS : REFUSED_MS
    this.#after(backOff(this.#failures, first, most, random.number()), () => this.#connect())
  }

  #send(frame: Frame): void {
    this.#waiting.push(frame)
    this.#sendWaiting()
  }

  #sendWaiting(): void {
    while (this.#unanswered.size < WINDOW) {
      const frame = this.#waiting.shift()
      if (!frame) return
      const n = this.#n++
      this.#unanswered.set(n, frame)
      try {
        this.#socket?.send(`${JSON.stringify({ n, ...frame.fields }).slice(0, -1)},"events":${frame.events}}`)
      } catch {
        this.#lose(this.#socket)
      }
    }
  }

  #receive(data: unknown): void {
    let message: Record<string, unknown>
    try {
      message = Object(JSON.parse(String(data)))
    } catch {
      return
    }
    const { n, job: id, version, cancelRequested, pauseRequested, answers } = message
    if (typeof n === 'number') {
      const frame = this.#unanswered.get(n)
      if (!this.#unanswered.delete(n)) return
      this.#isTrusted = true
      this.#failures = 0
      frame?.done(message)
      this.#sendWaiting()
    } else if (typeof version === 'number' && typeof cancelRequested === 'boolean') {
      const asked: Requested = { version, cancelRequested, pauseRequested: pauseRequested === true }
      if (Array.isArray(answers)) asked.answers = answers
      for (const job of this.#liveJobs) if (job.id === id) job.hear(asked)
    }
  }

  #after(ms: number, run: () => unknown): void {
    this.#stopWaiting()
    if (this.#isClosed) return
    this.#timer = this.#port.clock.setTimeout(() => {
      this.#timer = undefined
      run()
    }, ms)
  }

  #stopWaiting(): void {
    this.#port.clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** The outcome that an answer is; `undefined` for what a request is to find out. */
  #sentOf(answer: Record<string, unknown> = {}): Sent | undefined {
    const { failureOf, isProblem, isReceipt } = this.#port
    if (isReceipt(answer)) return { receipt: answer }
    const { problem, retryAfter } = answer
    // The answer to a request says what is wrong with a token.
    if (!isProblem(problem) || problem.status === 401) return undefined
    if (typeof retryAfter === 'number') return { retry: true, afterMs: retryAfter * 1_000 }
    return failureOf(problem.status, problem.detail, problem.jobStatus)
  }
}
