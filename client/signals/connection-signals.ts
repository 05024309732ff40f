import { batch, type ReadonlySignal, signal } from '@preact/signals-core'
import type { PingData } from '../../shared/wire/messages.ts'
import { createConnection, eventOf, type Received } from '../connection/connection.ts'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import { jobTransition } from '../connection/job-connection-state.ts'
import { createServerClock, type ServerClock } from '../connection/server-clock.ts'
import { createTransport, type TransportOptions } from '../connection/transport.ts'
import { Ticker } from './ticker.ts'
import { whileWatched } from './while-watched.ts'

/** The state of the connection, as signals. */
export interface ConnectionSignals {
  readonly connection: ReadonlySignal<ConnectionStatus>
  /** When the server was last heard: milliseconds since the epoch by its own clock. Moves with {@link now}. */
  readonly lastSeen: ReadonlySignal<number | undefined>
  /** The time by the server's clock: milliseconds since the epoch. Moves once a second, and once a minute after the end. */
  readonly now: ReadonlySignal<number>
}

/** A connection that is open while its signals, or others with its {@link lifetime}, are watched. */
interface SignalConnection extends ConnectionSignals {
  readonly serverClock: ServerClock
  /** The options of a signal that keeps the connection open while it is watched. */
  readonly lifetime: ReturnType<typeof whileWatched>
  /** Schedules `show` for the next frame. */
  showSoon(): void
}

interface SignalConnectionOptions extends TransportOptions {
  /** Takes a message of the stream: its name and its parsed data. */
  receive(name: string, data: unknown): Received
  /** The cursor to start from. Without one the server sends a snapshot at once. */
  cursor?: string | undefined
  /** Called in a batch, once a frame at most, when something was received: the moment to write signals. */
  show(): void
  /** Called at each ping. */
  onPing?(): void
}

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A connection that is closed until it is watched. */
export function createSignalConnection(options: SignalConnectionOptions): SignalConnection {
  const { environment } = options
  const { clock } = environment
  const serverClock = createServerClock(clock)
  let heardAt: number | undefined
  let callOff: (() => void) | undefined

  const connection = createConnection({
    environment,
    policy: jobTransition,
    cursor: options.cursor,
    ...createTransport({ ...options, receivePoll: polled }),
    receive(event, data) {
      if (event === 'ping') {
        serverClock.set((data as PingData).at)
        options.onPing?.()
        return { type: 'message' }
      }
      return eventOf(received(options.receive(event, data)), 'message')
    },
    onHeard() {
      heardAt = serverClock.now()
    },
    // Flush messages before the status changes: an ended job shows its final state with the status.
    onStatus() {
      batch(() => {
        showNow()
        update()
      })
    },
  })
  const isOver = () => ['ended', 'not-found', 'expired'].includes(connection.status)
  const ticker = new Ticker(clock, () => (isOver() ? MINUTE : SECOND), update)
  const lifetime = whileWatched(clock, {
    open() {
      connection.start()
      ticker.start()
      update()
    },
    close() {
      connection.stop()
      ticker.stop()
      callOff?.()
      callOff = undefined
    },
  })
  const status = signal<ConnectionStatus>(connection.status, lifetime)
  const lastSeen = signal<number | undefined>(undefined, lifetime)
  const now = signal(serverClock.now(), lifetime)

  function update(): void {
    batch(() => {
      status.value = connection.status
      lastSeen.value = heardAt
      now.value = serverClock.now()
    })
  }
  function showNow(): void {
    if (!callOff) return
    callOff()
    callOff = undefined
    options.show()
  }
  function showSoon(): void {
    callOff ??= environment.frame(() => batch(showNow))
  }
  function polled(answer: unknown, date: string): Received | undefined {
    const what = options.receivePoll(answer, date)
    if (what) serverClock.setRoughly(date)
    return what && received(what)
  }
  function received(what: Received): Received {
    if (!what.gap) showSoon()
    return what
  }
  return { connection: status, lastSeen, now, serverClock, lifetime, showSoon }
}
