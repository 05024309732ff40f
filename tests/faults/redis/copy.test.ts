import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEngine } from '../../../server/engines/open.ts'
import type { Engine } from '../../../server/jobs/engine.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { batchOf, created, documentOf, publish, taken } from '../../conformance/fixtures.ts'
import { ApiClient, unique } from '../../support/api-client.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { onBun, ServerProcess } from '../../support/server-process.ts'
import { signIn } from '../../support/sign-in.ts'
import { accessToken } from '../../support/tokens.ts'

const COMMAND = [process.execPath, 'server/cli/main.ts', 'copy']

function start(from: string, to: string): Bun.Subprocess<'ignore', 'pipe', 'pipe'> {
  return Bun.spawn([...COMMAND, from, to], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
}

/** Runs `milepost copy`. @returns the exit code and what it printed */
async function copy(from: string, to: string): Promise<{ code: number; out: string; err: string }> {
  const child = start(from, to)
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code: await child.exited, out: out.trim(), err: err.trim() }
}

/** Works on a store that nobody else has open. */
async function withEngine<T>(setting: string, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openEngine(setting, { limits: defaultLimits, acknowledge: undefined })
  try {
    return await work(engine)
  } finally {
    await engine.close()
  }
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-copy-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = () => `sqlite:${join(folder, `${unique('jobs')}.db`)}`

describe('milepost copy', () => {
  test('moves a running service to Redis and back: watchers, producers and sessions go on where they were', async () => {
    await using redis = await RedisServer.start()
    const [first, back] = [newFile(), newFile()]
    const token = await accessToken('ada')
    const id = 'moved'
    let cursor = ''
    let cookie = {}
    let publishToken = ''
    let expected: unknown
    let done = 0
    /** Runs a server on an engine, in which a watcher with the cursor gets what it has missed, and nothing twice. */
    const serve = async (engine: string, isFirst = false) => {
      await using server = await ServerProcess.start({ MILEPOST_ENGINE: engine }, onBun)
      const client = new ApiClient(server.url, token)
      if (isFirst) {
        await client.create({ id, metadata: { a: 1 } })
        await client.publish(id, { type: 'status', status: 'running' }, { type: 'item', id: 'a', status: 'running' })
        cookie = await signIn(server.url, 'ada')
        publishToken = (await client.share(id, { can: 'publish' })).token
      } else expect<unknown>(await client.read(id)).toEqual(expected)
      expect((await new ApiClient(server.url).request('GET', `api/jobs/${id}`, undefined, cookie)).status).toBe(200)
      const producer = new ApiClient(server.url, publishToken)
      const publishAgain = (n: number) =>
        producer.json<{ version: number }>(
          200,
          'POST',
          `api/jobs/${id}/events`,
          { type: 'progress', done: n },
          {
            'idempotency-key': `done-${n}`,
          },
        )
      // The answer to the last one may have been lost.
      if (!isFirst) expect(await publishAgain(done)).toMatchObject({ version: 3 + done })
      done += 1
      expect(await publishAgain(done)).toMatchObject({ version: 3 + done })
      await using stream = await client.stream(
        `api/jobs/${id}/progress`,
        cursor === '' ? {} : { 'last-event-id': cursor },
      )
      const [message] = await stream.take(1)
      if (isFirst) expect(message?.event).toBe('snapshot')
      else {
        expect(message).toMatchObject({ event: 'patch', data: { from: 2 + done, to: 3 + done } })
        expect(message?.data.items).toBeUndefined()
      }
      cursor = message?.lastEventId ?? ''
      expected = await client.read(id)
    }
    await serve(first, true)
    for (const [from, to] of [
      [first, redis.setting],
      [redis.setting, back],
      [back, redis.setting],
    ] as const) {
      expect(await copy(from, to)).toMatchObject({ code: 0, out: expect.stringContaining('Copied 1 jobs') })
      await serve(to)
    }
  }, 60_000)

  test('killed at any moment leaves each job whole or absent, and repeated it finishes', async () => {
    await using redis = await RedisServer.start()
    const from = newFile()
    const ids = await withEngine(from, async (engine) => {
      // At once, so that they share syncs of the disk.
      const made = Array.from({ length: 200 }, async (_, n) => {
        const { id } = await created(engine)
        const items = Array.from({ length: n % 50 === 7 ? 2_500 : n % 5 }, (_, item) => `${item}`)
        await publish(engine, id, [
          { type: 'status', status: 'running' },
          ...items.map((item) => ({ type: 'item', id: item, status: 'running' }) as const),
        ])
        taken(await engine.apply(id, batchOf([{ type: 'log', message: 'k' }], { key: { key: 'k', digest: 'd' } })))
        return id
      })
      const ids = await Promise.all(made)
      await engine.notes.put({ key: 'session/a/b', text: 'ada' }, Date.now() + 600_000, Date.now())
      return ids
    })
    for (const to of [redis.setting, newFile()]) {
      let kills = 0
      let sizes = 0
      for (let wait = 0; ; wait = 2 * wait + 20) {
        const child = start(from, to)
        await killAfterLine(child, wait)
        if ((await child.exited) === 0) break
        kills += 1
        await withEngine(from, (source) =>
          withEngine(to, async (target) => {
            for (const id of ids) {
              if (!(await target.read(id))) continue
              sizes += 1
              expect(await documentOf(target, id)).toEqual(await documentOf(source, id))
            }
          }),
        )
      }
      expect(kills).toBeGreaterThan(0)
      expect(sizes).toBeGreaterThan(0)
      expect(await copy(from, to)).toMatchObject({
        code: 0,
        out: expect.stringContaining('(0 now, the others before)'),
      })
      await withEngine(to, async (target) =>
        withEngine(from, async (source) => {
          for (const id of ids) expect(await documentOf(target, id)).toEqual(await documentOf(source, id))
          expect(await target.notes.get('session/a/b')).toBe('ada')
        }),
      )
    }
    expect(await redis.command('KEYS', '*staged*')).toBe('')
  }, 300_000)

  test('replaces what went on in FROM, ends sessions that ended there, and refuses what went on in TO', async () => {
    await using redis = await RedisServer.start()
    const from = newFile()
    const key = 'session/a/b'
    const audit = 'audit-sign-in/1'
    const put = (engine: Engine, name: string) =>
      engine.notes.put({ key: name, text: 't' }, Date.now() + 600_000, Date.now())
    const { id } = await withEngine(from, async (engine) => {
      await put(engine, key)
      return created(engine)
    })
    await withEngine(redis.setting, (engine) => put(engine, audit))
    expect(await copy(from, redis.setting)).toMatchObject({ code: 0 })
    await withEngine(from, async (engine) => {
      await publish(engine, id, [{ type: 'progress', done: 1 }])
      await engine.notes.take(key)
    })
    expect(await copy(from, redis.setting)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Copied 1 jobs and 0'),
    })
    await withEngine(redis.setting, async (engine) => {
      expect((await engine.read(id))?.header.version).toBe(2)
      expect([await engine.notes.get(key), await engine.notes.get(audit)]).toEqual([undefined, 't'])
      await publish(engine, id, [{ type: 'progress', done: 2 }])
    })
    const { id: later } = await withEngine(from, async (engine) => {
      await publish(engine, id, [{ type: 'progress', done: 3 }])
      return created(engine)
    })
    const refused = await copy(from, redis.setting)
    expect(refused).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining(`went on in TO: ${id}. Nothing was copied.`),
    })
    await withEngine(redis.setting, async (engine) => expect(await engine.read(later)).toBeUndefined())
  }, 60_000)

  test('that finds a difference afterwards says which jobs not to use, with exit code 2', async () => {
    await using redis = await RedisServer.start()
    const from = newFile()
    const { id } = await withEngine(from, async (engine) => {
      const job = await created(engine)
      await publish(engine, job.id, [{ type: 'item', id: 'a', status: 'running' }])
      return job
    })
    expect(await copy(from, redis.setting)).toMatchObject({ code: 0 })
    await redis.command('HSET', `mp:{all}:rows:${id}`, 'i=a', '{"id":"a","index":0,"version":2,"status":"failed"}')
    expect(await copy(from, redis.setting)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`those of FROM: ${id}.`),
    })
  }, 60_000)

  test('refuses stores that a server uses, and arguments that are no engines', async () => {
    await using redis = await RedisServer.start()
    const file = newFile()
    await using onFile = await ServerProcess.start({ MILEPOST_ENGINE: file }, onBun)
    await using onRedis = await ServerProcess.start({ MILEPOST_ENGINE: redis.setting }, onBun)
    const secret = join(folder, 'engine')
    await writeFile(secret, `${redis.setting}\n`)
    const missing = newFile()
    const other = newFile()
    await withEngine(other, async () => {})
    for (const [from, to, says] of [
      [file, newFile(), 'FROM: '],
      [other, file, 'TO: '],
      [other, redis.setting, 'TO: A server uses this store'],
      [redis.setting, newFile(), 'FROM: A server uses this store'],
      [`@${secret}`, newFile(), 'FROM: A server uses this store'],
      [`@${folder}/none`, other, `FROM is "@${folder}/none", which can't be read (ENOENT).`],
      [missing, other, `but there is no ${missing.slice(7)}`],
      ['redis://:hidden@127.0.0.1', other, 'FROM is refused with a password'],
      ['memory:', other, `FROM is "memory:", which can't be copied.`],
      [other, 'redis://127.0.0.1:1', 'TO: Nothing listens on 127.0.0.1:1: start Redis there, or correct TO.'],
    ] as const) {
      const { code, out, err } = await copy(from, to)
      expect([code, out, err]).toEqual([1, '', expect.stringContaining(says)])
      expect(err).not.toContain('hidden')
    }
    const one = await copy(redis.setting, `${redis.setting}/1`)
    expect([one.code, one.err]).toEqual([1, expect.stringContaining('A server uses this store')])
    await onRedis.kill('SIGTERM')
    const other1 = await copy(redis.setting, `${redis.setting}/1`)
    expect([other1.code, other1.err]).toEqual([1, expect.stringContaining('are in one Redis server')])
    expect(onFile.url).not.toBe('')
  }, 60_000)
})

/** Kills a process so many milliseconds after it has shown its first line, unless it ends before. */
async function killAfterLine(child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>, wait: number): Promise<void> {
  for await (const _ of child.stderr) {
    await Bun.sleep(wait)
    child.kill('SIGKILL')
  }
}
