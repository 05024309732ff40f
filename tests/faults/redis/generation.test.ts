import { expect, test } from 'bun:test'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { batchOf, created, documentOf } from '../../conformance/fixtures.ts'
import { eventually } from '../../support/engine-streams.ts'
import { RedisCluster } from '../../support/redis-cluster.ts'
import type { RedisServer } from '../../support/redis-server.ts'

/** Less than the silence after which a server counts as away: milliseconds. */
const PAUSE_MS = 2_800

test('a commit names the history that it is in, though its partition got another primary after it was decided', async () => {
  await using cluster = await RedisCluster.start(0, '--appendonly', 'yes', '--appendfsync', 'always')
  const [, home, other] = cluster.nodes
  if (!home || !other) throw new Error('There are too few')
  const engine = await RedisEngine.open(cluster.setting)
  const jobs = await Promise.all(Array.from({ length: 20 }, () => created(engine)))
  const keys = (await home.command('KEYS', 'mp:*:job:*')).split('\n')
  const ids = jobs.map(({ id }) => id).filter((id) => keys.some((key) => key.endsWith(`:job:${id}`)))
  const before = await historyOf(home)

  for (const id of ids) {
    // A document that grows is counted together with those on the other primaries, of which one is slow.
    await other.command('CLIENT', 'PAUSE', `${PAUSE_MS}`, 'ALL')
    const large = { type: 'item', id: 'large', message: 'x'.repeat(8_000) } as const
    await home.command('CONFIG', 'RESETSTAT')
    const applied = engine.apply(id, batchOf([large]))
    await eventually(async () => expect(await home.command('INFO', 'commandstats')).toContain('cmdstat_evalsha'))
    await home.kill()
    await home.restart()
    await eventually(() => engine.read(id))
    // The pause was over before the engine was connected again, at random: once more, with another job.
    if ('refused' in (await applied)) continue
    const after = await historyOf(home)
    const generations: [string, number][] = [
      [before, 1],
      [after, 2],
    ]
    expect((await engine.read(id))?.marks.generations).toEqual(generations)
    expect((await documentOf(engine, id)).generation).toBe(after)
    await engine.close()
    return
  }
  throw new Error(`None of ${ids.length} commits was decided before its primary was another`)
}, 60_000)

/** The first characters of the replication id of a server. */
async function historyOf(server: RedisServer): Promise<string> {
  return (await server.command('INFO', 'replication')).match(/master_replid:(\w{12})/)?.[1] ?? ''
}
