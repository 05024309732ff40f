import { batch, type ReadonlySignal, signal } from '@preact/signals-core'
import type { ServerConnection } from '../connection/connection.ts'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import type { Environment } from '../connection/environment.ts'
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
interface WatchedConnection extends ConnectionSignals {
  /** The options of a signal that keeps the connection open while it is watched. */
  readonly lifetime: ReturnType<typeof whileWatched>
  /** Schedules `show` for the next frame. */
  showSoon(): void
  /** Shows the status at once, if it has changed, and messages before it: an ended job shows its final state with the status. */
  changed(): void
}

interface WatchedConnectionOptions {
  connection: Pick<ServerConnection, 'status' | 'start' | 'stop'>
  /** The server's time, and when it was last heard: milliseconds. */
  times(): { now: number; lastSeen?: number | undefined }
  /** Called in a batch, once a frame at most, when something was received: the moment to write signals. */
  show(): void
  environment: Environment
}

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** A connection that is closed until it is watched. */
export function watchConnection({ connection, times, show, environment }: WatchedConnectionOptions): WatchedConnection {
  const { clock } = environment
  let callOff: (() => void) | undefined

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
  const now = signal(times().now, lifetime)

  function update(): void {
    batch(() => {
      status.value = connection.status
      lastSeen.value = times().lastSeen
      now.value = times().now
    })
  }
  function showNow(): void {
    if (!callOff) return
    callOff()
    callOff = undefined
    show()
  }
  return {
    connection: status,
    lastSeen,
    now,
    lifetime,
    showSoon() {
      callOff ??= environment.frame(() => batch(showNow))
    },
    changed() {
      if (status.peek() === connection.status) return
      batch(() => {
        showNow()
        update()
      })
    },
  }
}
