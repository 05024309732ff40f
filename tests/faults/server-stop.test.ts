import { expect, test } from 'bun:test'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { onDeno } from '../support/on-deno.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const launches: Record<string, Launch> = {
  Bun: onBun,
  Deno: onDeno('sqlite'),
  'Deno with deno-kv': onDeno('deno-kv'),
}

test.each(Object.entries(launches))(
  'a server on %s that is asked to stop does, though readers have stopped reading, and loses nothing',
  async (_, launch) => {
    await using server = await ServerProcess.start({ MILEPOST_FRAME_MS: '0' }, launch)
    const token = await accessToken('ada')
    const ada = new ApiClient(server.url, token)
    const { id } = await ada.create()
    const connection = await RawConnection.open(server.url)
    await connection.get(`/api/jobs/${id}/progress`, { authorization: `Bearer ${token}` })
    await connection.receiveBody(/event: snapshot/)
    connection.stall()
    // More than the system's buffers take: 12 MB.
    const result = 'x'.repeat(60_000)
    for (let done = 0; done < 200; done++)
      await ada.publish(id, { type: 'progress', done }, { type: 'status', status: 'running', result })
    expect(await server.kill('SIGTERM')).toBe(0)
    connection.destroy()
    await server.restart()
    const job: Job = await ada.read(id)
    expect(job.version).toBe(401)
  },
)
