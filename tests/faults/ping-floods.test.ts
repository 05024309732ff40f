import { expect, test } from 'bun:test'
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
