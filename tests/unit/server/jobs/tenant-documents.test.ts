import { describe, expect, test } from 'bun:test'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import type { Change } from '../../../../server/jobs/engine.ts'
import { documentsOf, qualifyHeader } from '../../../../server/jobs/tenant-documents.ts'
import { jobHeaderSchema } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'
import { batchOf, newJob, taken } from '../../../conformance/fixtures.ts'
import { settle } from '../../../virtual-clock.ts'

describe('documentsOf', () => {
  test('documentsOf without a tenant is the engine itself', () => {
    const engine = new MemoryEngine()
    expect(documentsOf(engine, undefined)).toBe(engine)
  })

  test('documentsOf a tenant stores names with the tenant before them, and answers them without, in copies', async () => {
    const engine = new MemoryEngine()
    const acme = documentsOf(engine, 'acme')
    const job = newJob({ id: 'a', owner: 'ada', createdBy: 'bot', parentId: 'p' })
    const created = await acme.create(job)
    expect(created).toMatchObject({ created: true, job: { header: job.header } })
    const stored = await engine.read('acme::a')
    expect(stored?.header).toEqual({
      ...job.header,
      id: 'acme::a',
      owner: 'acme::ada',
      createdBy: 'acme::bot',
      parentId: 'acme::p',
    })
    expect(stored?.header).toEqual(qualifyHeader('acme', job.header))
    expect((await acme.read('a'))?.header).toEqual(job.header)
    const header = taken(await acme.apply('a', batchOf([{ type: 'progress', done: 1 }], { createdBy: 'bot' })))
    expect(header).toMatchObject({ id: 'a', owner: 'ada', createdBy: 'bot', parentId: 'p', version: 2 })
    expect((await engine.read('acme::a'))?.header.id).toBe('acme::a')
  })

  test('documentsOf a tenant has no job that is in no tenant, though its owner is called as one of the tenant', async () => {
    const engine = new MemoryEngine()
    const acme = documentsOf(engine, 'acme')
    const changes: Change[] = []
    await acme.watch({ owner: 'ada' }, (change) => changes.push(change))
    await acme.watch({ all: true }, (change) => changes.push(change))
    await engine.create(newJob({ id: 'old', owner: 'acme::ada' }))
    await settle()
    expect(changes).toEqual([])
    for (const owner of ['ada', undefined]) expect(await acme.list({ owner, limit: 10 })).toEqual({ rows: [] })
    await acme.create(newJob({ id: 'new', owner: 'ada' }))
    await settle()
    expect(changes.map(({ id, header }) => [id, header?.owner])).toEqual([
      ['new', 'ada'],
      ['new', 'ada'],
    ])
    for (const owner of ['ada', undefined])
      expect((await acme.list({ owner, limit: 10 })).rows.map(({ id }) => id)).toEqual(['new'])
  })

  test('documentsOf a tenant qualifies every field of a header that names a job or a principal', () => {
    // A new field belongs to one of the two: to `Names` of tenant-documents.ts, or to those that name neither.
    const names = ['id', 'owner', 'createdBy', 'parentId', 'retryOf']
    const others =
      `epoch version generation kind title status attempt message progress pace itemCounts errorCount logCount cancelRequested pauseRequested
      result createdAt startedAt updatedAt lastEventAt endedAt expiresAt heartbeatSeconds timeoutSeconds metadata asks openAsks`.split(
        /\s+/,
      )
    expect(Object.keys(jobHeaderSchema.shape).sort()).toEqual([...names, ...others].sort())
    const header = newHeader({ id: 'a', owner: 'b', createdBy: 'c', parentId: 'd', retryOf: 'e' })
    const qualified = qualifyHeader('acme', header)
    const changed = Object.keys(header).filter((name) => Reflect.get(header, name) !== Reflect.get(qualified, name))
    expect(changed.sort()).toEqual(names.toSorted())
  })

  test('documentsOf a tenant passes on what it does not know of a subscription and of a list', async () => {
    const engine = new MemoryEngine()
    const seen: object[] = []
    engine.watch = async (target) => {
      seen.push(target)
      return () => {}
    }
    engine.list = async (query) => {
      seen.push(query)
      return { rows: [] }
    }
    const acme = documentsOf(engine, 'acme')
    await acme.watch({ job: 'a', quietly: true } as { job: string }, () => {})
    await acme.list({ owner: 'ada', limit: 1, sort: 'oldest' } as { owner: string; limit: number })
    expect(seen).toEqual([
      { job: 'acme::a', quietly: true },
      { owner: 'acme::ada', limit: 1, sort: 'oldest' },
    ])
  })

  test('documentsOf a tenant takes a name that is qualified as one within the tenant', async () => {
    const engine = new MemoryEngine()
    await documentsOf(engine, 'umbra').create(newJob({ id: 'a', owner: 'eve' }))
    const acme = documentsOf(engine, 'acme')
    expect(await acme.read('umbra::a')).toBeUndefined()
    expect(await acme.remove('umbra::a')).toBe(false)
    for (const owner of ['umbra::eve', 'umbra::', '::', '*'])
      expect(await acme.list({ owner, limit: 10 })).toEqual({ rows: [] })
  })
})
