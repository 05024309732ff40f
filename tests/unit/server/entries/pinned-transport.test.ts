import { describe, expect, test } from 'bun:test'
import { createServer, type Socket } from 'node:net'
import { pinnedTransport } from '../../../../server/entries/pinned-transport.ts'
import { WebhookReceiver } from '../../../support/webhook-receiver.ts'

/** A server that answers each connection as a test wants. */
async function answering(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const post = (url: string, address: string, signal = new AbortController().signal) =>
  pinnedTransport.post({ url: new URL(url), address, headers: { 'webhook-id': 'msg_1' }, body: '{"ü":1}', signal })

const RESPONSE = 'HTTP/1.1 204 No Content\r\n\r\n'

describe('pinnedTransport', () => {
  test('resolve tells the addresses of a name', async () => {
    expect(await pinnedTransport.resolve?.('localhost')).toContain('127.0.0.1')
    await expect(pinnedTransport.resolve?.('no-such-host.invalid')).rejects.toThrow()
  })

  test('post connects to the given address, whatever the name leads to, with the name as its host', async () => {
    await using receiver = new WebhookReceiver()
    const { port } = new URL(receiver.url('/'))
    expect(await post(`http://no-such-host.invalid:${port}/a%20b?c=d`, '127.0.0.1')).toBe(204)
    expect(receiver.received).toMatchObject([
      { path: '/a%20b', body: '{"ü":1}', headers: { host: `no-such-host.invalid:${port}`, 'webhook-id': 'msg_1' } },
    ])
  })

  test('post follows no redirect', async () => {
    await using receiver = new WebhookReceiver()
    receiver.answer = () => Response.redirect(receiver.url('/private'), 307)
    expect(await post(receiver.url('/'), '127.0.0.1')).toBe(307)
    expect(receiver.received.map(({ path }) => path)).toEqual(['/'])
  })

  test('post skips responses before the final one, byte by byte', async () => {
    await using server = await answering(async (socket) => {
      for (const byte of `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${RESPONSE}`) {
        socket.write(byte)
        await new Promise(setImmediate)
      }
    })
    expect(await post(`http://a.example:${server.port}/`, '127.0.0.1')).toBe(204)
  })

  test.each([
    ['nothing', ''],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an interim response alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['half a status', 'HTTP/1.1 20'],
  ])('post rejects when %s comes', async (_, response) => {
    await using server = await answering((socket) => socket.end(response))
    await expect(post(`http://a.example:${server.port}/`, '127.0.0.1')).rejects.toThrow('there was no response')
  })

  test('post rejects when nobody listens, and when the certificate is not known', async () => {
    const server = await answering(() => {})
    await server[Symbol.asyncDispose]()
    await expect(post(`http://a.example:${server.port}/`, '127.0.0.1')).rejects.toThrow()
    await using plain = await answering((socket) => socket.end(RESPONSE))
    await expect(post(`https://a.example:${plain.port}/`, '127.0.0.1')).rejects.toThrow()
  })

  test('post reads no more than 16 KiB of a response, and closes the connection', async () => {
    const closed = Promise.withResolvers<number>()
    await using server = await answering((socket) => {
      socket.write(RESPONSE.replace('204 No Content', '200 OK'))
      let sent = 0
      const send = () => {
        while (socket.writable && socket.write('x'.repeat(65_536))) sent += 65_536
      }
      socket.on('drain', send)
      socket.on('close', () => closed.resolve(sent))
      send()
    })
    expect(await post(`http://a.example:${server.port}/`, '127.0.0.1')).toBe(200)
    // What is in the buffers of the kernel is sent, but not read.
    expect(await closed.promise).toBeLessThan(16 * 1_048_576)
    await using endless = await answering((socket) => socket.write('x'.repeat(65_536)))
    await expect(post(`http://a.example:${endless.port}/`, '127.0.0.1')).rejects.toThrow('too long')
  })

  test('post closes connections that receivers leave open, and has only so many of them', async () => {
    const closed: Promise<void>[] = []
    let open = 0
    let most = 0
    await using server = await answering((socket) => {
      open += 1
      most = Math.max(most, open)
      closed.push(
        new Promise((resolve) => {
          socket.on('close', () => {
            open -= 1
            resolve()
          })
        }),
      )
      socket.write(RESPONSE)
    })
    for (let count = 0; count < 200; count++) await post(`http://a.example:${server.port}/`, '127.0.0.1')
    await Promise.all(closed)
    // The receiver sees a little later that one is closed.
    expect(most).toBeLessThan(100)
  })

  test('post ends with its signal, also while a receiver answers byte by byte', async () => {
    const began = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    await using server = await answering((socket) => {
      const timer = setInterval(() => socket.write('H'), 5)
      socket.on('close', () => {
        clearInterval(timer)
        closed.resolve()
      })
      began.resolve()
    })
    const controller = new AbortController()
    const posting = post(`http://a.example:${server.port}/`, '127.0.0.1', controller.signal)
    posting.catch(() => {})
    await began.promise
    controller.abort()
    await expect(posting).rejects.toThrow()
    await closed.promise
  })
})
