import type { Socket } from 'bun'
import type { Target } from '../target.ts'
import type { LoadJob } from './job.ts'
import { Latencies } from './latencies.ts'
import { requestBytes } from './requests.ts'

/** Events that come later than this count as late: milliseconds. */
const LATE_MS = 250
/** Connections that are being opened at a time: fewer than any server lets wait. */
const OPENING = 100
/** Events of one job that can be told apart. */
const MAX_EVENTS = 1 << 17

const DATA = 'data:'
const OK = 'HTTP/1.1 200'

interface Watcher {
  job: LoadJob
  /** Whether the server began to answer with a stream. */
  isOpen: boolean
  /** What came of a message whose end has not. */
  rest: string
  /** The number of the newest event in its first state; −1 before it has one. */
  base: number
  /** A bit for each event that it has seen. */
  seen: Uint8Array
  onReady: () => void
}

/**
 * Open streams, read as bytes: of each message only what kind it is and its numbers. A patch counts for the events that it covers;
 * messages are counted beside.
 */
export class Watchers {
  readonly latencies = new Latencies()
  /** Events seen, and the messages that brought them. */
  events = 0
  messages = 0
  /** All that came, headers of answers too. */
  bytes = 0
  duplicated = 0
  late = 0
  readonly #target: Target
  readonly #watchers: Watcher[] = []
  readonly #sockets: Socket<Watcher>[] = []

  constructor(target: Target) {
    this.#target = target
  }

  /** Resolves when each has its first state. */
  async open(jobs: readonly LoadJob[], perJob: number): Promise<void> {
    const wanted = jobs.flatMap((job) => Array.from({ length: perJob }, () => job))
    const openNext = async () => {
      for (let job = wanted.pop(); job; job = wanted.pop()) await this.#open(job)
    }
    await Promise.all(Array.from({ length: OPENING }, openNext))
  }

  /** Events that were sent since each had its first state, and not seen. */
  get lost(): number {
    let lost = -this.events
    for (const { job, base } of this.#watchers) lost += job.sent - base
    return lost
  }

  /** Waits until all have seen all, or nothing comes any more. */
  async settle(): Promise<void> {
    for (let before = -1, quiet = 0; this.lost > 0 && quiet < 100; quiet++) {
      if (this.events !== before) quiet = 0
      before = this.events
      await Bun.sleep(10)
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate()
  }

  async #open(job: LoadJob): Promise<void> {
    const { promise: ready, resolve: onReady, reject } = Promise.withResolvers<void>()
    const watcher: Watcher = { job, isOpen: false, rest: '', base: -1, seen: new Uint8Array(0), onReady }
    const request = requestBytes(this.#target, 'GET', this.#target.watchPath.replace('{job}', job.id))
    await Bun.connect<Watcher>({
      hostname: '127.0.0.1',
      port: this.#target.port,
      data: watcher,
      socket: {
        open: (socket) => {
          this.#sockets.push(socket)
          socket.write(request)
        },
        data: ({ data }, bytes) => {
          data.isOpen ||= bytes.toString('latin1', 0, OK.length) === OK
          if (!data.isOpen) reject(new Error(`A watcher was refused: ${bytes}`))
          this.#read(data, bytes)
        },
        close: () => reject(new Error('A watcher was cut off')),
      },
    })
    await ready
    this.#watchers.push(watcher)
  }

  #read(watcher: Watcher, bytes: Buffer): void {
    this.bytes += bytes.length
    const text = watcher.rest + bytes.toString('latin1')
    const end = text.lastIndexOf('\n\n')
    watcher.rest = text.slice(end + 2 || 0)
    const now = performance.now()
    for (let at = text.indexOf(DATA); at >= 0 && at < end; at = text.indexOf(DATA, at)) {
      at += DATA.length
      // A space may follow the colon or not (WHATWG HTML, 9.2.6).
      if (text[at] === ' ') at += 1
      if (this.#target.wire === 'milepost') this.#readMilepost(watcher, text, at, now)
      else if (text.startsWith('{"type":"progress"', at)) this.#take(watcher, numberAfter(text, '"done":', at), 1, now)
    }
  }

  #readMilepost(watcher: Watcher, text: string, at: number, now: number): void {
    if (text.startsWith('{"type":"progress"', at)) {
      this.#take(watcher, numberAfter(text, '"version":', at) - 1, 1, now)
    } else if (text.startsWith('{"from":', at)) {
      const from = numberAfter(text, '"from":', at)
      const to = numberAfter(text, '"to":', at)
      this.#take(watcher, to - 1, to - from, now)
    } else if (text.startsWith('{"id":', at)) this.#take(watcher, numberAfter(text, '"version":', at) - 1, 0, now)
  }

  /** Takes a message that covers some events, the newest of which has this number. */
  #take(watcher: Watcher, newest: number, covers: number, now: number): void {
    if (watcher.base < 0) {
      watcher.base = newest
      watcher.onReady()
      return
    }
    this.messages += 1
    for (let number = newest - covers + 1; number <= newest; number++) {
      const place = number >> 3
      if (place >= watcher.seen.length) watcher.seen = grown(watcher.seen, place)
      const bit = 1 << (number & 7)
      const seen = watcher.seen[place] ?? 0
      if (number <= watcher.base || seen & bit) {
        this.duplicated += 1
        continue
      }
      watcher.seen[place] = seen | bit
      this.events += 1
      const took = now - (watcher.job.sentAt[number] ?? now)
      this.latencies.add(took)
      if (took > LATE_MS) this.late += 1
    }
  }
}

/** A number in JSON, by the name before it. The name is there. */
function numberAfter(text: string, name: string, from: number): number {
  let value = 0
  for (let at = text.indexOf(name, from) + name.length; ; at++) {
    const digit = text.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) return value
    value = value * 10 + digit
  }
}

function grown(seen: Uint8Array, place: number): Uint8Array {
  if (place > MAX_EVENTS / 8)
    throw new Error(`A job has more than ${MAX_EVENTS} events: run the workload for a shorter time`)
  const larger = new Uint8Array(Math.max(64, 2 * place))
  larger.set(seen)
  return larger
}
