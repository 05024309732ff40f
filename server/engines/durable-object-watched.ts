import { DurableObject } from 'cloudflare:workers'
import type { Change } from '../engine.ts'
import { type ObjectBindings, PING, PONG } from './durable-object-calls.ts'

/** Events that a wake-up carries; of more the hub makes a patch anyway. */
const EVENTS_TOLD = 8

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
  protected wake({ events, ...change }: Change): void {
    const isSmall = events !== undefined && events.length <= EVENTS_TOLD
    const message = JSON.stringify(isSmall ? { ...change, events } : change)
    for (const socket of this.ctx.getWebSockets()) {
      try {
        socket.send(message)
      } catch {
        // Its reader has left, and the runtime is about to take it away.
      }
    }
  }
}
