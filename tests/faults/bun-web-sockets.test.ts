import { expect, test } from 'bun:test'
import { RawConnection } from '../support/raw-connection.ts'
import { ReportClient } from '../support/report-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

test('a WebSocket that pings in a flood is disconnected, and one that pings now and then is answered', async () => {
  await using server = await ServerProcess.start()
  const headers = { authorization: `Bearer ${await accessToken('ada')}` }
  const [quiet, loud] = [await ReportClient.open(server.url, headers), await ReportClient.open(server.url, headers)]
  loud.ping(1_000)
  expect(await loud.closed).toMatchObject({ reason: expect.any(String) })
  quiet.ping(10)
  const answer = await quiet.ask({ n: 1, job: 'none', events: [{ type: 'progress', done: 1 }] })
  expect(answer.problem?.status).toBe(404)
  await quiet.close()
})

test('a WebSocket that begins a frame longer than any may be is disconnected before the rest comes', async () => {
  await using server = await ServerProcess.start()
  const connection = await RawConnection.open(server.url)
  await connection.get('/api/report', {
    authorization: `Bearer ${await accessToken('ada')}`,
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': btoa('0123456789abcdef'),
    'sec-websocket-version': '13',
  })
  expect(connection.text).toStartWith('HTTP/1.1 101 ')
  // Of text, with a mask of zeros, and a byte more than a batch may have (RFC 6455, 5.2).
  connection.write(Uint8Array.of(0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0))
  connection.write('{"n":1,')
  await connection.receive(/Received too big message/)
  expect(connection.text).toContain('Received too big message')
})
