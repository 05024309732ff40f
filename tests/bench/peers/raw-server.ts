/**
 * As little as a server can do: what is posted is written to the sockets of those who watch, as bytes made once. It parses no more HTTP than
 * the load generator sends, keeps no queues, and checks nothing.
 */
import type { Socket } from 'bun'

interface Connection {
  request: string
}

interface Channel {
  sockets: Set<Socket<Connection>>
  last: Uint8Array
}

const HEAD_END = '\r\n\r\n'
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')
const channels = new Map<string, Channel>()

function channelOf(job: string): Channel {
  const channel = channels.get(job) ?? { sockets: new Set(), last: new Uint8Array() }
  channels.set(job, channel)
  return channel
}

function chunk(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

function receive(socket: Socket<Connection>, bytes: Buffer): void {
  const connection = socket.data
  connection.request += bytes.toString('latin1')
  const { request } = connection
  const head = request.indexOf(HEAD_END)
  if (head < 0) return
  const length = Number(/content-length: *([0-9]+)/i.exec(request.slice(0, head))?.[1] ?? 0)
  const body = request.slice(head + HEAD_END.length)
  if (body.length < length) return
  connection.request = ''
  const channel = channelOf(request.slice(0, request.indexOf(' HTTP')).split(' ')[1] ?? '')
  if (request.startsWith('GET')) {
    channel.sockets.add(socket)
    socket.write(Buffer.concat([Buffer.from(STREAM_HEAD), channel.last]))
    return
  }
  channel.last = chunk(`event: progress\ndata: ${body}\n\n`)
  for (const watcher of channel.sockets) watcher.write(channel.last)
  socket.write(ANSWER)
}

const server = Bun.listen<Connection>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open: (socket) => {
      socket.data = { request: '' }
    },
    data: receive,
    close: (socket) => {
      for (const { sockets } of channels.values()) sockets.delete(socket)
    },
  },
})
console.log(`http://127.0.0.1:${server.port}`)
