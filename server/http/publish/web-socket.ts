import type { Context } from 'hono'

/** A WebSocket as Hono's adapters give it; the part that is used. */
export interface Socket {
  /** The runtime's own. */
  readonly raw?: unknown
  send(text: string): void
  close(code?: number, reason?: string): void
}

/** What the runtime calls. */
export interface SocketEvents {
  onOpen(event: unknown, socket: Socket): void
  onMessage(event: { data: unknown }, socket: Socket): void
  onClose(): void
  onError(): void
}

/**
 * Accepts a WebSocket: `upgradeWebSocket` of Hono's adapters. Typed here, because Hono's declaration (4.13) does not compile with the types of
 * Workers.
 */
export type UpgradeWebSocket = (c: Context, events: SocketEvents) => Promise<Response>
