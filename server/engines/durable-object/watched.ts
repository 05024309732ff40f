import { DurableObject } from 'cloudflare:workers'
import type { Change } from '../../jobs/engine.ts'
import { type ObjectBindings, PING, PONG } from './calls.ts'

/** Tag of subscribers for whom the object does not count as watched. */
const QUIET = 'quiet'
/** Most events in a wake-up: of more the hub makes a patch anyway. */
const MAX_EVENTS = 8
/** Longest wake-up: characters. A larger one is reduced to versions, and the Worker reads the rest if it needs it. */
const MAX_LENGTH = 16 * 1024

/**
 * An object that publishes changes over hibernating WebSockets: an idle object leaves memory and costs nothing while its watchers stay
 * connected.
 */
export abstract class WatchedObject extends DurableObject<ObjectBindings> {
  constructor(ctx: DurableObjectState, env: ObjectBindings) {
    super(ctx, env)
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
  }

  /** Subscribes to all commits from now on; quietly, if the path says so. */
  override async fetch({ url }: Request): Promise<Response> {
    const { 0: theirs, 1: ours } = new WebSocketPair()
    this.ctx.acceptWebSocket(ours, url.endsWith('/quietly') ? [QUIET] : [])
    return new Response(null, { status: 101, webSocket: theirs })
  }

  protected get isWatched(): boolean {
    return this.ctx.getWebSockets().length > this.ctx.getWebSockets(QUIET).length
  }

  /** Publishes a change. Like all messages of an object, it is sent once the change is on the disk. */
  protected wake(change: Change): void {
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    const message = encode(change)
    for (const socket of sockets) {
      try {
        socket.send(message)
      } catch {
        // The Worker has disconnected; the runtime will drop the socket.
      }
    }
  }
}

/** A change as JSON, complete or, if that is too long, without events and header. */
function encode({ events, header, ...versions }: Change): string {
  const isSmall = events !== undefined && events.length <= MAX_EVENTS
  const whole = JSON.stringify({ ...versions, header, ...(isSmall ? { events } : {}) })
  if (whole.length <= MAX_LENGTH) return whole
  return JSON.stringify(versions)
}
