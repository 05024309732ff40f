import { expect, test } from 'bun:test'
import { RedisEngine, type RedisOptions } from '../../server/engines/redis/engine.ts'
import type { JobHeader } from '../../shared/document/job.ts'
import { RedisServer } from '../support/redis-server.ts'
import { describeEngine } from './engine/engine.ts'
import { batchOf, created, type OpenEngine, taken } from './fixtures.ts'

const open: OpenEngine = async (limits) => {
  const server = await RedisServer.start()
  const options: RedisOptions = limits ? { limits } : {}
  const engine = await RedisEngine.open(server.setting, options)
  return {
    engine,
    async release() {
      await engine.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

describeEngine('redis', open, { lawRuns: 60 })
describeEngine('redis', open, { lawRuns: 20, tenant: 'acme' })

test('a job that is created in Redis after one of another store is listed as newer, even if its clock was ahead', async () => {
  await using from = await RedisServer.start()
  await using to = await RedisServer.start()
  const [source, target] = [await RedisEngine.open(from.setting), await RedisEngine.open(to.setting)]
  const { id } = await created(source)
  const record = await source.transfer.readRecord(id)
  if (!record) throw new Error('The job was created')
  expect(await target.transfer.writeRecord({ ...record, place: 2 ** 52 })).toBe(true)
  const newer = await created(target)
  expect((await target.list({ owner: undefined, limit: 10 })).rows.map((header) => header.id)).toEqual([newer.id, id])
  await source.close()
  await target.close()
})

test('a commit that Redis refuses fails alone, and the others that travel with it are applied', async () => {
  await using server = await RedisServer.start()
  const engine = await RedisEngine.open(server.setting)
  const jobs = await Promise.all(Array.from({ length: 4 }, () => created(engine)))
  const [first, broken] = jobs as [JobHeader, JobHeader]
  await server.command('SET', `mp:{all}:key-order:${broken.id}`, 'not a sorted set')
  const batch = batchOf([{ type: 'log', message: 'a line' }], { key: { key: 'k', digest: 'd' } })
  const applied = await Promise.all(jobs.map(({ id }) => engine.apply(id, batch).catch(String)))
  expect(applied.map((one) => (typeof one === 'string' ? /WRONGTYPE/.test(one) : taken(one).version))).toEqual([
    2,
    true,
    2,
    2,
  ])
  expect(taken(await engine.apply(first.id, batch))).toMatchObject({ version: 2 })
  await engine.close()
})
