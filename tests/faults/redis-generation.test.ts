import { expect, test } from 'bun:test'
import { RedisEngine } from '../../server/engines/redis/engine.ts'
import { batchOf, created, documentOf, taken } from '../conformance/fixtures.ts'
import { eventually } from '../support/engine-streams.ts'
import { RedisCluster } from '../support/redis-cluster.ts'

/** Less than the silence after which a server counts as away: milliseconds. */
const PAUSE_MS = 2_800

test('a commit names the history that it is in, though its partition got another primary after it was decided', async () => {
  await using cluster = await RedisCluster.start(0, '--appendonly', 'yes', '--appendfsync', 'always')
  const [, home, other] = cluster.nodes
  if (!home || !other) throw new Error('There are too few')
  const engine = await RedisEngine.open(cluster.setting)
  const jobs = await Promise.all(Array.from({ length: 20 }, () => created(engine)))
  const keys = (await home.command('KEYS', 'mp:*:job:*')).split('\n')
  const { id } = jobs.find((job) => keys.some((key) => key.endsWith(`:job:${job.id}`))) ?? {}
  if (id === undefined) throw new Error('It has no job')
  const before = (await home.command('INFO', 'replication')).match(/master_replid:(\w{12})/)?.[1]

  // A document that grows is counted together with those on the other primaries, of which one is slow.
  await other.command('CLIENT', 'PAUSE', `${PAUSE_MS}`, 'ALL')
  const large = { type: 'item', id: 'large', message: 'x'.repeat(8_000) } as const
  await home.command('CONFIG', 'RESETSTAT')
  const applied = engine.apply(id, batchOf([large]))
  await eventually(async () => expect(await home.command('INFO', 'commandstats')).toContain('cmdstat_evalsha'))
  await home.kill()
  await home.restart()
  await eventually(() => engine.read(id))
  taken(await applied)
  const after = (await home.command('INFO', 'replication')).match(/master_replid:(\w{12})/)?.[1]
  expect((await engine.read(id))?.marks.generations).toEqual([
    [before, 1],
    [after, 2],
  ] as [string, number][])
  expect((await documentOf(engine, id)).generation).toBe(after)
  await engine.close()
}, 120_000)
