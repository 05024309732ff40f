import { describe, expect, test } from 'bun:test'
import { DatabaseSync } from 'node:sqlite'
import { DenoKvEngine } from '../../../server/engines/deno-kv/engine.ts'
import type { JobEvent } from '../../../shared/document/events.ts'
import { batchOf, created, documentOf, taken } from '../fixtures.ts'
import { replace, Store } from './kv-stores.ts'

/** Why a file is not opened. */
async function refusalOf(path: string): Promise<string> {
  try {
    await (await DenoKvEngine.open(path)).close()
    return 'was opened'
  } catch (error) {
    const { name, message } = error as Error
    return `${name}: ${message.replaceAll(path, 'PATH')}`
  }
}

/** Which files are opened. */
export function describeOpening(): void {
  describe('open', () => {
    test('check writes nothing, for anyone may ask whether the server is ready', async () => {
      await using store = await Store.create()
      let writes = 0
      const counted = (kv: Deno.Kv) =>
        replace(kv, {
          atomic: () => {
            writes += 1
            return kv.atomic()
          },
        })
      const engine = await store.engine({}, counted)
      await engine.check()
      expect(writes).toBe(0)
      await created(engine)
      expect(writes).toBeGreaterThan(0)
    })

    test('open makes a file and its folder, and finds what is in it the next time', async () => {
      await using store = await Store.create()
      const path = `${store.path}.folder/within/jobs.kv`
      const first = await DenoKvEngine.open(path)
      const { id } = await created(first)
      await first.close()
      const second = await DenoKvEngine.open(path)
      expect((await documentOf(second, id)).id).toBe(id)
      await second.close()
    })

    test('open refuses a store that a newer Milepost wrote', async () => {
      await using store = await Store.create()
      await store.engine()
      const kv = await Deno.openKv(store.path)
      expect((await kv.get<number>(['milepost', 'format'])).value).toBe(2)
      await kv.set(['milepost', 'format'], 3)
      kv.close()
      expect(await refusalOf(store.path)).toBe(
        'EngineOpenError: PATH was written by a newer Milepost (format 3, this one knows 2): run that one, or name another.',
      )
    })

    test('open of a store of format 1 finds what is due, and jobs that ended while none was kept for a time only', async () => {
      await using store = await Store.create()
      const before = await DenoKvEngine.open(store.path)
      const end: JobEvent = { type: 'status', status: 'completed' }
      const late = await created(before, { timeoutSeconds: 10 })
      const expires = await created(before)
      const ended = await created(before)
      await created(before)
      taken(await before.apply(expires.id, batchOf([end], { retentionSeconds: 100 })))
      taken(await before.apply(ended.id, batchOf([end])))
      const lists = ['end', 'expire', 'ended'] as const
      const dues = (engine: DenoKvEngine) =>
        Promise.all(lists.map((list) => engine.due({ list, before: Number.MAX_VALUE, limit: 9 })))
      const expected = await dues(before)
      expect(expected).toMatchObject([[{ id: late.id }], [{ id: expires.id }], [{ id: ended.id }]])
      await before.close()
      const kv = await Deno.openKv(store.path)
      for await (const { key } of kv.list({ prefix: ['milepost', 'due'] })) {
        const [list, at, id] = key.slice(2)
        await kv.delete(key)
        if (list !== 'ended') await kv.set(['milepost', 'due', at ?? '', id ?? ''], 1)
      }
      await kv.set(['milepost', 'format'], 1)
      kv.close()
      const after = await DenoKvEngine.open(store.path)
      expect(await dues(after)).toEqual(expected)
      await after.close()
      const again = await Deno.openKv(store.path)
      expect((await Array.fromAsync(again.list({ prefix: ['milepost', 'due'] }))).length).toBe(3)
      again.close()
    })

    test('open of a store of the first format lists its jobs among everyone’s', async () => {
      await using store = await Store.create()
      const first = await DenoKvEngine.open(store.path)
      const jobs = [await created(first, { owner: 'ada' }), await created(first, { owner: 'eve' })]
      const gone = await created(first)
      await first.remove(gone.id)
      await first.close()
      const kv = await Deno.openKv(store.path)
      for await (const { key } of kv.list({ prefix: ['milepost', 'everyone'] })) await kv.delete(key)
      await kv.set(['milepost', 'format'], 1)
      kv.close()
      const second = await DenoKvEngine.open(store.path)
      expect(await second.list({ owner: undefined, limit: 10 })).toEqual({ rows: jobs.reverse() })
      expect((await second.list({ owner: undefined, live: true, limit: 10 })).rows).toEqual(jobs)
      await second.close()
    })

    test('open leaves a SQLite file of another program as it is', async () => {
      await using store = await Store.create()
      const db = new DatabaseSync(store.path)
      db.exec('CREATE TABLE theirs (a)')
      db.close()
      const before = await Deno.readFile(store.path)
      expect(await refusalOf(store.path)).toBe(
        'EngineOpenError: PATH is a SQLite file of another program: name another file.',
      )
      expect(await Deno.readFile(store.path)).toEqual(before)
    })

    test('open says of a file that is no store, and of a directory, what to do', async () => {
      await using store = await Store.create()
      await Deno.writeTextFile(store.path, 'A letter to somebody. '.repeat(50))
      expect(await refusalOf(store.path)).toBe(
        'EngineOpenError: PATH is not a file of Deno KV: name another file, or move this one away.',
      )
      await Deno.remove(store.path)
      await Deno.mkdir(store.path)
      expect(await refusalOf(store.path)).toBe(
        'EngineOpenError: PATH is a directory: name a file, such as PATH/milepost.kv.',
      )
    })
  })
}
