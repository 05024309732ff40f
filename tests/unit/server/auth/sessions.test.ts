import { describe, expect, test } from 'bun:test'
import type { Principal } from '../../../../server/auth/access.ts'
import { MAX_CHAIN, Sessions } from '../../../../server/auth/sessions.ts'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

const HALF_A_DAY = 43_200
const ada: Principal = { sub: 'ada', scopes: ['jobs:read'] }

/** Processes that share a store: each has its own memory of it. */
function create() {
  const clock = new VirtualClock()
  const engine = new MemoryEngine()
  const ended: string[] = []
  const reads: string[] = []
  const get = engine.notes.get.bind(engine.notes)
  engine.notes.get = (key) => {
    reads.push(key)
    return get(key)
  }
  const random = new SeededRandom(1)
  const open = () => new Sessions({ engine, clock, random, onEnd: (id) => ended.push(id) })
  return { clock, engine, ended, reads, sessions: open(), elsewhere: open() }
}

const idOf = async (sessions: Sessions, cookie: string) => (await sessions.principalOf(cookie))?.session ?? ''

describe('Sessions', () => {
  test('create starts a session of half a day, without its cookie in the store', async () => {
    const { clock, engine, sessions } = create()
    const until = clock.now() + HALF_A_DAY * 1_000
    const { cookie, seconds } = await sessions.create(ada)
    expect(seconds).toBe(HALF_A_DAY)
    expect(cookie).toMatch(/^mpst_session_[\w.-]{40,}$/)
    const id = await idOf(sessions, cookie)
    expect(await sessions.principalOf(cookie)).toEqual({ ...ada, expiresAt: until, session: id })
    const stored = JSON.stringify(await engine.notes.list({ prefix: 'session/', limit: 10 }))
    expect(stored).not.toContain(cookie.slice('mpst_session_'.length))
    expect(stored).not.toContain(cookie.slice(-26))
    await clock.advance(HALF_A_DAY * 1_000 - 1)
    expect(await sessions.isOpen(id)).toBe(true)
    await clock.advance(1)
    expect([await sessions.isOpen(id), await sessions.principalOf(cookie)]).toEqual([false, undefined])
    expect(await sessions.list({ sub: 'ada' }, undefined)).toEqual({ sessions: [] })
  })

  test("create starts a session that expires no later than the principal's credentials", async () => {
    const { clock, sessions } = create()
    const { cookie, seconds } = await sessions.create({ ...ada, expiresAt: clock.now() + 5_000 })
    expect(seconds).toBe(5)
    await clock.advance(5_000)
    expect(await sessions.principalOf(cookie)).toBeUndefined()
  })

  test('principalOf reads the store once in five seconds, and never for an invalid cookie', async () => {
    const { clock, reads, sessions } = create()
    const { cookie } = await sessions.create(ada)
    for (let n = 0; n < 10; n++) await sessions.principalOf(cookie)
    await clock.advance(4_999)
    await sessions.principalOf(cookie)
    expect(reads.length).toBe(1)
    await clock.advance(1)
    await sessions.principalOf(cookie)
    expect(reads.length).toBe(2)
    for (const wrong of ['', 'x', `${cookie}x`, cookie.slice(1), cookie.toUpperCase(), `${cookie}/../${cookie}`])
      expect(await sessions.principalOf(wrong)).toBeUndefined()
    expect(reads.length).toBe(2)
    expect(await sessions.principalOf(cookie.slice(0, -1) + (cookie.endsWith('0') ? '1' : '0'))).toBeUndefined()
  })

  test('end ends a session at once in this process, and within five seconds in those that cached it', async () => {
    const { clock, ended, sessions, elsewhere } = create()
    const { cookie } = await sessions.create(ada)
    const other = await sessions.create(ada)
    const id = await idOf(sessions, cookie)
    expect(await elsewhere.isOpen(id)).toBe(true)
    expect(await sessions.end(id)).toBe(true)
    expect([ended, await sessions.isOpen(id), sessions.isKnown(id)]).toEqual([[id], false, false])
    expect(await sessions.principalOf(cookie)).toBeUndefined()
    expect(await sessions.end(id)).toBe(false)
    await clock.advance(5_000)
    expect([elsewhere.isKnown(id), await elsewhere.isOpen(id)]).toEqual([false, false])
    expect((await elsewhere.principalOf(other.cookie))?.sub).toBe('ada')
  })

  test('end is not undone by a read that began before it', async () => {
    const { engine, sessions } = create()
    const { cookie } = await sessions.create(ada)
    const id = await idOf(sessions, cookie)
    const fresh = new Sessions({ engine, clock: new VirtualClock(), random: new SeededRandom(2), onEnd: () => {} })
    const get = engine.notes.get.bind(engine.notes)
    const answered = Promise.withResolvers<void>()
    engine.notes.get = async (key) => {
      const text = await get(key)
      await answered.promise
      return text
    }
    const reading = fresh.isOpen(id)
    await fresh.end(id)
    answered.resolve()
    await reading
    engine.notes.get = get
    expect([fresh.isKnown(id), await fresh.isOpen(id)]).toEqual([false, false])
  })

  test('end ends the sessions that were made by a session, and those made by these, in every process', async () => {
    const { clock, ended, sessions, elsewhere } = create()
    const ids: string[] = []
    for (let n = 0; n < 4; n++) {
      const session = ids.at(-1)
      const { cookie } = await sessions.create({ ...ada, ...(session === undefined ? {} : { session }) })
      ids.push(await idOf(sessions, cookie))
    }
    const [first = '', second = '', third = '', fourth = ''] = ids
    for (const id of ids) expect([await elsewhere.isOpen(id), elsewhere.isKnown(id)]).toEqual([true, true])
    const listed = await sessions.list({ sub: 'ada' }, undefined)
    const parents = new Map(listed.sessions.map(({ id, parent }) => [id, parent]))
    expect(ids.map((id) => parents.get(id))).toEqual([undefined, first, second, third])
    await sessions.end(second)
    expect(ended).toEqual([second, third, fourth])
    for (const id of [third, fourth]) expect([await sessions.isOpen(id), sessions.isKnown(id)]).toEqual([false, false])
    await clock.advance(5_000)
    for (const id of [third, fourth]) expect(await elsewhere.isOpen(id)).toBe(false)
    for (const those of [sessions, elsewhere]) {
      expect(await those.isOpen(first)).toBe(true)
      expect((await those.list({ sub: 'ada' }, undefined)).sessions.map(({ id }) => id)).toEqual([first])
    }
  })

  test('create of a session by one that has ended since makes none that is open', async () => {
    const { sessions } = create()
    const parent = await idOf(sessions, (await sessions.create(ada)).cookie)
    await sessions.end(parent)
    const { cookie } = await sessions.create({ ...ada, session: parent })
    expect(await sessions.principalOf(cookie)).toBeUndefined()
  })

  test('mayMakeLinks ends a chain of sessions that make each other', async () => {
    const { sessions } = create()
    const may: boolean[] = []
    let session: string | undefined
    for (let n = 0; n < MAX_CHAIN; n++) {
      const { cookie } = await sessions.create({ ...ada, ...(session === undefined ? {} : { session }) })
      session = await idOf(sessions, cookie)
      may.push(await sessions.mayMakeLinks(session))
    }
    expect(may).toEqual([...Array(MAX_CHAIN - 1).fill(true), false])
  })

  test("create ends the oldest session of a principal that has a hundred, and no other principal's", async () => {
    const { clock, ended, sessions } = create()
    const eve = await sessions.create({ ...ada, sub: 'eve' })
    const cookies: string[] = []
    for (let n = 0; n < 102; n++) {
      cookies.push((await sessions.create(ada)).cookie)
      await clock.advance(1)
    }
    const open = await Promise.all([eve.cookie, ...cookies].map((cookie) => sessions.principalOf(cookie)))
    expect(open.map((principal) => principal !== undefined)).toEqual([true, false, false, ...Array(100).fill(true)])
    expect(ended.length).toBe(2)
  })

  test('list returns the sessions of a principal, newest first, or all in pages, with ids that are no cookies', async () => {
    const { clock, sessions } = create()
    const first = await sessions.create(ada)
    await clock.advance(1_000)
    const second = await sessions.create({ ...ada, scopes: ['jobs:read', 'jobs:admin'] })
    for (let n = 0; n < 150; n++) await sessions.create({ sub: `other-${n}`, scopes: [] })
    const own = await sessions.list({ sub: 'ada' }, undefined)
    expect(own).toEqual({
      sessions: [
        {
          id: await idOf(sessions, second.cookie),
          sub: 'ada',
          scopes: ['jobs:read', 'jobs:admin'],
          createdAt: '2026-01-01T00:00:01.000Z',
          expiresAt: '2026-01-01T12:00:01.000Z',
        },
        {
          id: await idOf(sessions, first.cookie),
          sub: 'ada',
          scopes: ['jobs:read'],
          createdAt: '2026-01-01T00:00:00.000Z',
          expiresAt: '2026-01-01T12:00:00.000Z',
        },
      ],
    })
    for (const { id } of own.sessions) expect(await sessions.principalOf(id)).toBeUndefined()
    const page = await sessions.list({}, undefined)
    const rest = await sessions.list({}, page.nextCursor)
    expect([page.sessions.length, rest.sessions.length, rest.nextCursor]).toEqual([100, 52, undefined])
    expect(new Set([...page.sessions, ...rest.sessions].map(({ id }) => id)).size).toBe(152)
    const cursor = page.nextCursor ?? ''
    await expect(sessions.list({ sub: 'ada' }, cursor)).rejects.toThrow('cursor: is of another list')
  })
})
