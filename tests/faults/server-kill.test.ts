import { expect, test } from 'bun:test'
import type { Job } from '../../shared/document/job.ts'
import { SeededRandom } from '../seeded-random.ts'
import { onDeno } from '../support/on-deno.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const KILLS = 5

const launches: Record<string, Launch> = {
  Bun: onBun,
  Deno: onDeno('sqlite'),
  'Deno with deno-kv': onDeno('deno-kv'),
}

test.each(Object.entries(launches))(
  'a server on %s that is killed between publishes has every event that it acknowledged, after each restart',
  async (_, launch) => {
    await using server = await ServerProcess.start({}, launch)
    const random = new SeededRandom(12)
    const headers = { authorization: `Bearer ${await accessToken('ada')}`, 'content-type': 'application/json' }
    const call = (path: string, body: unknown) =>
      fetch(new URL(path, server.url), { method: 'POST', headers, body: JSON.stringify(body) })
    expect((await call('api/jobs', { id: 'killed', kind: 'test', title: 'Killed' })).status).toBe(201)
    let acknowledged = 1
    let items = 0
    for (let kill = 1; kill <= KILLS; kill++) {
      const publishes = Math.floor(random.number() * 20)
      for (let count = 0; count < publishes; count++) {
        const answer = await call('api/jobs/killed/events', [
          { type: 'item', id: `item ${items}`, status: 'succeeded' },
          { type: 'log', message: `item ${items}` },
        ])
        acknowledged = ((await answer.json()) as { version: number }).version
        items += 1
      }
      // One that is on its way when the process dies may be there or not, but never in part.
      const onItsWay = call('api/jobs/killed/events', [
        { type: 'item', id: `item ${items}`, status: 'succeeded' },
        { type: 'log', message: `item ${items}` },
      ]).catch(() => undefined)
      await server.kill('SIGKILL')
      const answered = await onItsWay
      if (answered?.ok) acknowledged += 2
      await server.restart()
      const job = (await (await fetch(new URL('api/jobs/killed', server.url), { headers })).json()) as Job
      expect(job.version).toBeGreaterThanOrEqual(acknowledged)
      expect(job.version - acknowledged).toBeOneOf([0, 2])
      expect(job.items.map(({ id }) => id)).toEqual(job.items.map((_, index) => `item ${index}`))
      expect([job.items.length * 2 + 1, job.logCount]).toEqual([job.version, job.items.length])
      acknowledged = job.version
      items = job.items.length
    }
  },
)
