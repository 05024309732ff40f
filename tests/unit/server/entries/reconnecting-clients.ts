import net from 'node:net'

/** What the worker is told: where the server is, and how many requests the clients make together. */
export interface Asked {
  port: number
  requests: number
}

/** Requests that were answered before the one on the open connection was sent, and before it was answered. */
export interface Counted {
  sent: number
  answered: number
}

const CLIENTS = 4

/** Sends a request, and resolves when there is an answer. */
function ask(socket: net.Socket, path: string): Promise<void> {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  return new Promise((resolve) => socket.once('data', () => resolve()))
}

function connect(port: number): Promise<net.Socket> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket))
  })
}

declare const self: Worker

/** A worker: clients that connect anew for each request, without a pause, beside one that keeps its connection. */
self.onmessage = async ({ data: { port, requests } }: MessageEvent<Asked>) => {
  const kept = await connect(port)
  await ask(kept, '/kept')
  let answered = 0
  const enough = Promise.withResolvers<void>()
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (answered < requests) {
      const socket = await connect(port)
      await ask(socket, '/new')
      socket.destroy()
      answered += 1
      if (answered === 2 * CLIENTS) enough.resolve()
    }
  })
  await enough.promise
  const counted: Counted = { sent: answered, answered: 0 }
  await ask(kept, '/kept')
  counted.answered = answered
  await Promise.all(clients)
  kept.destroy()
  self.postMessage(counted)
}
