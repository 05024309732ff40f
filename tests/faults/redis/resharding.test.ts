import { afterAll, beforeAll, expect, test } from 'bun:test'
import { partitionIndex, partitionsFor } from '../../../server/engines/redis/cluster/partitions.ts'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { batchOf, created, documentOf, publish, refusal, taken, unique } from '../../conformance/fixtures.ts'
import { shown, versionShown, watchJob } from '../../support/engine-streams.ts'
import { RedisCluster } from '../../support/redis-cluster.ts'
import type { RedisServer } from '../../support/redis-server.ts'

const partitions = partitionsFor(true)
/** The partition whose slot moves. */
const PARTITION = 0
const slot = `${partitions[PARTITION]?.slot}`
const item = (id: string) => ({ type: 'item', id, status: 'succeeded' }) as const

let cluster: RedisCluster
let engines: [ours: RedisEngine, other: RedisEngine]
beforeAll(async () => {
  cluster = await RedisCluster.start()
  engines = await Promise.all([RedisEngine.open(cluster.setting), RedisEngine.open(cluster.setting)])
}, 60_000)
afterAll(async () => {
  for (const engine of engines) await engine.close()
  await cluster[Symbol.asyncDispose]()
})

/** An id of the partition. */
function idThere(): string {
  for (;;) {
    const id = unique('job')
    if (partitionIndex(id, partitions.length) === PARTITION) return id
  }
}

/** The server that has the slot, and one that has not. */
async function holderAndOther(): Promise<[RedisServer, RedisServer]> {
  const holds = await Promise.all(
    cluster.nodes.map(async (node) => !(await node.command('GET', '{53t}')).startsWith('MOVED')),
  )
  const at = holds.indexOf(true)
  return [cluster.nodes[at], cluster.nodes[(at + 1) % 3]] as [RedisServer, RedisServer]
}

/** Opens the slot, as `redis-cli --cluster reshard` does before it moves the keys. */
async function openSlot(from: RedisServer, to: RedisServer): Promise<() => Promise<void>> {
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await from.command('CLUSTER', 'MYID'))
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await to.command('CLUSTER', 'MYID'))
  return async () => {
    for (const node of [from, to]) await node.command('CLUSTER', 'SETSLOT', slot, 'STABLE')
  }
}

test('requests wait while a slot moves, and are applied once it has: events, jobs, removals, notes and reads', async () => {
  const [ours, other] = engines
  const [{ id }, { id: gone }] = [await created(ours, { id: idThere() }), await created(ours, { id: idThere() })]
  const close = await openSlot(...(await holderAndOther()))
  const until = Date.now() + 60_000
  const work = Promise.all([
    ...['a', 'b', 'c'].map((name) => ours.apply(id, batchOf([item(name)])).then(taken)),
    other.apply(id, batchOf([item('d')])).then(taken),
    created(other, { id: idThere() }),
    ours.remove(gone),
    ours.notes.put({ key: 'audit/moved', text: 'a' }, until, Date.now()),
    ours.list({ owner: undefined, limit: 100 }),
    ours.figures(10),
  ])
  const isEarly = await Promise.race([work.then(() => true), Bun.sleep(100).then(() => false)])
  await close()
  await work
  expect(isEarly).toBe(false)
  expect(await documentOf(other, id)).toMatchObject({ version: 5, itemCounts: { succeeded: 4 } })
  expect([await ours.read(gone), await other.notes.get('audit/moved')]).toEqual([undefined, 'a'])
}, 20_000)

test('requests get a 503 that nothing was applied when a slot does not cease to move', async () => {
  const [ours] = engines
  const { id } = await created(ours, { id: idThere() })
  const close = await openSlot(...(await holderAndOther()))
  const answers = await Promise.all(['a', 'b', 'c'].map((name) => ours.apply(id, batchOf([item(name)]))))
  await close()
  for (const answer of answers) {
    expect(refusal(answer)?.status).toBe(503)
    expect(JSON.stringify(answer)).toContain('nothing of the request was applied')
  }
  expect((await documentOf(ours, id)).version).toBe(1)
}, 20_000)

test('resharding refuses nothing and loses nothing, and watchers on every node follow', async () => {
  const [ours, other] = engines
  const ids = Array.from({ length: 200 }, idThere)
  await Promise.all(ids.map((id) => created(ours, { id })))
  const [first = ''] = ids
  const [ourLog, ourHub] = await watchJob(ours, first)
  const [otherLog, otherHub] = await watchJob(other, first)
  const [from, to] = await holderAndOther()
  const [source, target] = await Promise.all([from, to].map((node) => node.command('CLUSTER', 'MYID')))
  const arguments_ = [
    '--cluster-from',
    source ?? '',
    '--cluster-to',
    target ?? '',
    '--cluster-slots',
    '200',
    '--cluster-yes',
  ]
  let isMoved = false
  const move = from.command('--cluster', 'reshard', `127.0.0.1:${from.port}`, ...arguments_).then(() => {
    isMoved = true
  })
  const counts = new Map(ids.map((id) => [id, 0]))
  for (let n = 0; !isMoved || n < 50; n++) {
    const id = n % 2 === 0 ? first : (ids[n % ids.length] ?? '')
    await Promise.all(engines.map((engine) => publish(engine, id, [item(`${n}`), { type: 'log', message: `${n}` }])))
    counts.set(id, (counts.get(id) ?? 0) + 4)
  }
  await move
  expect((await holderAndOther())[0]).not.toBe(from)
  for (const [id, count] of counts) expect((await documentOf(ours, id)).version).toBe(1 + count)
  const end = await documentOf(other, first)
  for (const log of [ourLog, otherLog]) {
    await log.until((said) => said.isClosed || versionShown(said) === end.version)
    expect(shown(log)).toEqual(end)
  }
  ourHub.close()
  otherHub.close()
}, 60_000)
