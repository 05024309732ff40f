import { defineWebSocketHelper, WSContext } from 'hono/ws'

/** Accepts a WebSocket on workerd. Hono's own helper (4.13) does not call `onOpen`, so that nothing could be sent before the first message. */
export const upgradeWorkerSocket = defineWebSocketHelper((_, events) => {
  const { 0: client, 1: server } = new WebSocketPair()
  const context = new WSContext<WebSocket>({
    raw: server,
    get readyState() {
      return server.readyState as 0 | 1 | 2 | 3
    },
    send: (data) => server.send(data),
    close: (code, reason) => server.close(code, reason),
  })
  server.addEventListener('message', (event) => events.onMessage?.(event, context))
  server.addEventListener('close', (event) => events.onClose?.(event, context))
  server.addEventListener('error', (event) => events.onError?.(event, context))
  server.accept()
  events.onOpen?.(new Event('open'), context)
  return new Response(null, { status: 101, webSocket: client })
})
