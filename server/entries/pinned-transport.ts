import { lookup } from 'node:dns/promises'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { WebhookRequest, WebhookTransport } from '../webhooks/transport.ts'

/** Bytes of a response that are read at most. */
const MAX_BYTES = 16_384
/** How long a connection stays open after the status, so that the receiver can send the rest: milliseconds. */
const REST_MS = 1_000
/** Most connections that stay open so; for one more the oldest is closed. */
const MAX_RESTS = 64

/** Connections whose status has come, the oldest first. A receiver may leave them open. */
const rests = new Set<Socket>()

/** Closes a connection soon, because the rest of its response is of no interest. */
function closeSoon(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), REST_MS)
  rests.add(socket)
  socket.on('close', () => {
    clearTimeout(timer)
    rests.delete(socket)
  })
  const [oldest] = rests
  if (rests.size > MAX_RESTS) oldest?.destroy()
}

/** What has come of the final response: other responses may come before it (RFC 9110, 15.2). */
function withoutInterim(received: string): string {
  let response = received
  while (/^HTTP\/1\.1 1\d\d/.test(response) && response.includes('\r\n\r\n')) {
    response = response.slice(response.indexOf('\r\n\r\n') + 4)
  }
  return response
}

/**
 * Sends over a connection of its own to the address that was checked. With `fetch` the name would be resolved once more, perhaps to another
 * address (DNS rebinding).
 */
export const pinnedTransport: WebhookTransport = {
  resolve: async (hostname) => (await lookup(hostname, { all: true })).map(({ address }) => address),
  post: (request) =>
    new Promise((resolve, reject) => {
      const socket = open(request)
      request.signal.addEventListener('abort', () => socket.destroy())
      let response = ''
      let isAnswered = false
      let bytes = 0
      socket.on('data', (chunk: Uint8Array) => {
        bytes += chunk.byteLength
        if (!isAnswered) response = withoutInterim(response + new TextDecoder('latin1').decode(chunk))
        const status = /^HTTP\/1\.[01] ([2-5]\d\d)[ \r\n]/.exec(response)?.[1]
        if (status !== undefined && !isAnswered) {
          isAnswered = true
          resolve(Number(status))
          closeSoon(socket)
        }
        if (bytes > MAX_BYTES) socket.destroy()
      })
      socket.on('error', ({ message }) => reject(new Error(message)))
      socket.on('close', () =>
        reject(new Error(bytes > MAX_BYTES ? 'the response is too long' : 'there was no response')),
      )
    }),
}

function open({ url, address = url.hostname, headers, body }: WebhookRequest): Socket {
  const { hostname, protocol, pathname, search, host } = url
  const isTls = protocol === 'https:'
  const port = Number(url.port || (isTls ? 443 : 80))
  // Only names are sent (RFC 6066, 3).
  const servername = /^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }
  const socket = isTls
    ? connectTls({ host: address, port, ...servername, ALPNProtocols: ['http/1.1'] })
    : connectTcp({ host: address, port })
  const bytes = new TextEncoder().encode(body)
  const fields = { host, ...headers, 'content-length': bytes.byteLength, connection: 'close' }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once(isTls ? 'secureConnect' : 'connect', () => {
    socket.write(`POST ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`)
    socket.write(bytes)
  })
  return socket
}
