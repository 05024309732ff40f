import { describe, expect, test } from 'bun:test'
import { cpuSeconds } from '../bench/usage.ts'
import { ApiClient } from '../support/api-client.ts'
import { onDeno } from '../support/on-deno.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** Descriptors that the server may have: enough to start, and soon used up. */
const DESCRIPTORS = 100

const limited = (launch: Launch): Launch => ({
  ...launch,
  command: (folder) => ['bash', '-c', `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, ...launch.command(folder)],
})

for (const [name, launch] of [
  ['bun', onBun],
  ['deno', onDeno('sqlite')],
] satisfies [string, Launch][]) {
  describe(`out of descriptors on ${name}`, () => {
    test(`a server on ${name} that is out of descriptors goes on, keeps its streams, and serves again when it has some`, async () => {
      await using server = await ServerProcess.start({}, limited(launch))
      const ada = new ApiClient(server.url, await accessToken('ada'))
      const { id } = await ada.create()
      const stream = await ada.stream(`api/jobs/${id}/progress`)
      await stream.take(1)
      const open = await Promise.all(
        Array.from({ length: 2 * DESCRIPTORS }, () => RawConnection.open(server.url).catch(() => undefined)),
      )
      for (const connection of open) connection?.write('GET / HTTP/1.1\r\nhost: localhost\r\nx-half: ')
      // The server learns of its limit by what it does, not by what is sent: whoever comes now finds it there.
      const late = await RawConnection.open(server.url).catch(() => undefined)
      late?.destroy()
      for (const connection of open) connection?.destroy()
      const publish = async () => {
        for (;;) {
          const receipt = await ada.publish(id, { type: 'progress', done: 7 }).catch(() => undefined)
          if (receipt) return
          await Bun.sleep(50)
        }
      }
      await publish()
      expect((await stream.take(1)).map(({ event }) => event)).toEqual(['progress'])
      await stream.close()
    })
  })
}

test('a server on bun that is out of descriptors does not spin, and takes the publishes of who is connected', async () => {
  await using server = await ServerProcess.start({}, limited(onBun))
  const token = await accessToken('ada')
  const ada = new ApiClient(server.url, token)
  const { id } = await ada.create()
  const producer = await RawConnection.open(server.url)
  const publish = async (done: number) => {
    const body = JSON.stringify({ type: 'progress', done })
    const head = `POST /api/jobs/${id}/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}`
    producer.write(`${head}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    await producer.receive(new RegExp(`"version":${done + 1},`))
  }
  await publish(1)
  const open = await Promise.all(
    Array.from({ length: 2 * DESCRIPTORS }, () => RawConnection.open(server.url).catch(() => undefined)),
  )
  // It looks twice a second.
  await Bun.sleep(1_000)
  // One that spins takes all of a core in each second. Compilers and collectors of Bun take some of it after the connections.
  const shares: number[] = []
  for (let second = 0; second < 3; second++) {
    const before = { cpu: cpuSeconds(server.pid), at: performance.now() }
    await Bun.sleep(1_000)
    shares.push((1_000 * (cpuSeconds(server.pid) - before.cpu)) / (performance.now() - before.at))
  }
  expect(Math.min(...shares)).toBeLessThan(0.3)
  for (let done = 2; done <= 5; done++) await publish(done)
  expect(producer.isClosed).toBe(false)
  for (const connection of [...open, producer]) connection?.destroy()
})
