import { DurableObject } from 'cloudflare:workers'
import type { Change } from '../../jobs/engine.ts'
import { type ObjectBindings, PING, PONG } from './calls.ts'

/** Events that a wake-up carries; of more the hub makes a patch anyway. */
const EVENTS_TOLD = 8
/** The longest wake-up: characters. Beyond it whoever needs more reads it, and who has no room for it is not sent it. */
const LONGEST_WAKE = 16 * 1024

/**
 * An object that tells of changes over WebSockets. They are the runtime's to keep: while nothing happens the object sleeps, out of memory and
 * unpaid, and its watchers stay connected.
 */
export abstract class WatchedObject extends DurableObject<ObjectBindings> {
  constructor(ctx: DurableObjectState, env: ObjectBindings) {
    super(ctx, env)
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
  }

  /** Subscribes: whatever is committed from now on is told. */
  override async fetch(): Promise<Response> {
    const { 0: theirs, 1: ours } = new WebSocketPair()
    this.ctx.acceptWebSocket(ours)
    return new Response(null, { status: 101, webSocket: theirs })
  }

  protected get isWatched(): boolean {
    return this.ctx.getWebSockets().length > 0
  }

  /** Tells of a change. It leaves once the disk has the change, as all messages of an object do. */
  protected wake(change: Change): void {
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    const message = encode(change)
    for (const socket of sockets) {
      try {
        socket.send(message)
      } catch {
        // Its reader has left, and the runtime is about to take it away.
      }
    }
  }
}

/** A change as JSON: with all of it, or with the versions alone. */
function encode({ events, header, ...versions }: Change): string {
  const isSmall = events !== undefined && events.length <= EVENTS_TOLD
  const whole = JSON.stringify({ ...versions, header, ...(isSmall ? { events } : {}) })
  if (whole.length <= LONGEST_WAKE) return whole
  return JSON.stringify(versions)
}
