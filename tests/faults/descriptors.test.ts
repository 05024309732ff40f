import { describe, expect, test } from 'bun:test'
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
