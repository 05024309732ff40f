import { describe, expect, test } from 'bun:test'
import { Audit, type AuditEntry, type AuditOptions } from '../../../../server/auth/audit.ts'
import { MemoryNotes } from '../../../../server/engines/memory-notes.ts'
import type { AuditRecord } from '../../../../shared/wire/api.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

const DAY = 86_400

function fixture(options: Partial<AuditOptions> = {}) {
  const clock = new VirtualClock()
  const notes = new MemoryNotes()
  const errors: unknown[] = []
  const told: AuditRecord[] = []
  const audit = new Audit({
    engine: { notes },
    clock,
    random: new SeededRandom(1),
    seconds: DAY,
    onRecord: (record) => told.push(record),
    onError: (error) => errors.push(error),
    ...options,
  })
  /** All records, page by page. */
  const all = async ({
    tenant,
    ...query
  }: {
    tenant?: string
    sub?: string
    action?: AuditRecord['action']
    limit?: number
  } = {}) => {
    const found: AuditRecord[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await audit.list(tenant, { limit: 50, ...query, ...(cursor === undefined ? {} : { cursor }) })
      found.push(...page.records)
      cursor = page.nextCursor
      if (cursor === undefined) return found
    }
  }
  /** Records many, without waiting for each: checks of their number take turns of the clock. */
  const recordAll = async (entries: readonly AuditEntry[]) => {
    for (let n = 0; n < entries.length; n += 50) {
      for (const entry of entries.slice(n, n + 50)) void audit.record(entry)
      await clock.advance(1)
    }
  }
  return { clock, notes, errors, told, audit, all, recordAll }
}

const signIn = (sub: string): AuditEntry => ({ action: 'sign-in', sub, by: 'link' })
const refused = (sub: string): AuditEntry => ({ action: 'refused', sub, status: 403, detail: 'No.' })
const stranger = (address: string): AuditEntry => ({ action: 'credentials-refused', address, status: 401 })

describe('Audit', () => {
  test('Audit lists records of all actions newest first, page by page, also those of one moment', async () => {
    const { audit, all, clock } = fixture()
    const subs = Array.from({ length: 25 }, (_, n) => `p${n}`)
    for (const [n, sub] of subs.entries()) {
      await audit.record(n % 2 === 0 ? signIn(sub) : refused(sub))
      if (n % 5 === 0) await clock.advance(1_000)
    }
    const newest = subs.toReversed()
    expect((await all({ limit: 7 })).map(({ sub }) => sub ?? '')).toEqual(newest)
    expect((await all({ limit: 100 })).map(({ sub }) => sub ?? '')).toEqual(newest)
    const { records, nextCursor } = await audit.list(undefined, { limit: 2 })
    expect([records.length, nextCursor]).toEqual([2, expect.stringMatching(/^[0-9a-f]{12}-[0-9a-v]{8}$/)])
  })

  test('Audit filters by action and by principal, and reads at most a thousand records for a page', async () => {
    const { audit, all, clock } = fixture()
    await audit.record(signIn('rare'))
    for (let n = 0; n < 1_100; n += 1) {
      // Not awaited: it takes turns of the clock to check how many there are.
      void audit.record(refused(`p${n % 100}`))
      if (n % 100 === 99) await clock.advance(600_000)
    }
    expect((await all({ action: 'sign-in' })).map(({ sub }) => sub)).toEqual(['rare'])
    expect((await all({ sub: 'p7' })).length).toBe(11)
    expect((await all({ sub: 'p7', action: 'sign-in' })).length).toBe(0)
    const first = await audit.list(undefined, { sub: 'rare', limit: 50 })
    expect([first.records, first.nextCursor === undefined]).toEqual([[], false])
    expect((await all({ sub: 'rare' })).length).toBe(1)
  })

  test('Audit shows a tenant what its principals did, by its names, and nothing of others', async () => {
    const { audit, all } = fixture()
    const deleted: AuditEntry = { action: 'job-deleted', sub: 'acme::ada', job: 'acme::j', for: 'acme::bob' }
    for (const entry of [signIn('ada'), signIn('umbra::ada'), signIn('acme::ada'), deleted]) await audit.record(entry)
    expect((await all()).map(({ sub }) => sub)).toEqual(['acme::ada', 'acme::ada', 'umbra::ada', 'ada'])
    expect((await all({ tenant: 'acme' })).map(({ at: _, ...record }) => record)).toEqual([
      { action: 'job-deleted', sub: 'ada', job: 'j', for: 'bob' },
      signIn('ada'),
    ])
    expect((await all({ tenant: 'acme', sub: 'ada', action: 'sign-in' })).length).toBe(1)
    for (const tenant of ['acme::', 'acm', 'ada']) expect(await all({ tenant })).toEqual([])
    // The place of a page tells nothing of what others did.
    const { nextCursor } = await audit.list('umbra', { limit: 1 })
    for (let n = 0; n < 10; n += 1) await audit.record(signIn(`acme::p${n}`))
    expect((await audit.list('umbra', { limit: 1 })).nextCursor).toBe(nextCursor as string)
    expect(await all({ tenant: 'umbra' })).toHaveLength(1)
  })

  test('Audit records what a tenant does while another floods it', async () => {
    const { audit, all, recordAll } = fixture()
    await recordAll(Array.from({ length: 1_300 }, (_, n) => signIn(`umbra::p${n}`)))
    await audit.record(signIn('acme::ada'))
    expect((await all({ tenant: 'acme' })).map(({ sub }) => sub)).toEqual(['ada'])
    expect(await all({ tenant: 'umbra' })).toHaveLength(1_000)
  })

  test('Audit records what principals do while strangers fill it, and a thousand principals by name', async () => {
    const { audit, all, recordAll } = fixture()
    const strange = (n: number): AuditEntry => ({ action: 'refused', address: `10.0.0.${n}`, status: 403 })
    await recordAll(Array.from({ length: 200 }, (_, n) => strange(n)))
    await recordAll(Array.from({ length: 900 }, (_, n) => refused(`p${n}`)))
    await audit.record(refused('insider'))
    expect(await all({ sub: 'insider' })).toHaveLength(1)
  })

  test('Audit hides and deletes records that are too old', async () => {
    const { audit, all, clock } = fixture()
    await audit.record(signIn('old'))
    await clock.advance(DAY * 1_000 - 1)
    expect((await all()).length).toBe(1)
    await clock.advance(1)
    expect(await all()).toEqual([])
  })

  test('Audit records a flood of one principal ten times, and then how many there were', async () => {
    const { audit, all, told, clock } = fixture()
    await audit.record(refused('ada'))
    await clock.advance(1_000)
    await Promise.all(Array.from({ length: 5_000 }, () => audit.record(refused('mallory'))))
    expect((await all()).length).toBe(11)
    await clock.advance(600_000)
    const [last, ...rest] = await all()
    expect(last).toEqual({
      at: '2026-01-01T00:10:00.000Z',
      action: 'refused',
      sub: 'mallory',
      unrecorded: 4_990,
      since: '2026-01-01T00:00:00.000Z',
    })
    expect(rest.length).toBe(11)
    expect(told.length).toBe(12)
    // A new window begins.
    await audit.record(refused('mallory'))
    expect((await all()).length).toBe(13)
    expect(clock.pending).toBe(0)
  })

  test('Audit records fifty acts of a principal in ten minutes, and counts those of another action apart', async () => {
    const { audit, all, clock } = fixture()
    for (let n = 0; n < 60; n += 1) await audit.record({ action: 'token-created', sub: 'backend', job: `j${n}` })
    await audit.record(signIn('backend'))
    expect((await all({ action: 'token-created' })).length).toBe(50)
    expect((await all({ action: 'sign-in' })).length).toBe(1)
    await clock.advance(600_000)
    expect((await all())[0]).toMatchObject({ action: 'token-created', sub: 'backend', unrecorded: 10 })
  })

  test('Audit counts all together when a flood has more than a hundred addresses', async () => {
    const { audit, all, clock } = fixture()
    for (let n = 0; n < 1_000; n += 1) await audit.record(stranger(`10.0.${n >> 8}.${n & 255}`))
    expect((await all()).length).toBe(100)
    await clock.advance(600_000)
    const [last, ...rest] = await all()
    expect(last).toMatchObject({ action: 'credentials-refused', unrecorded: 900 })
    expect([last?.sub, last?.address, rest.length]).toEqual([undefined, undefined, 100])
  })

  test('Audit keeps about ten thousand records of an action, and drops the oldest of who has the most', async () => {
    const { audit, all, notes, clock } = fixture({ seconds: 1_000 * DAY })
    const until = clock.now() + 1_000 * DAY * 1_000
    // Of an engine without a bound of its own.
    const kept = new Map<string, string>()
    let sorted: string[] | undefined
    notes.put = async ({ key, text }) => {
      kept.set(key, text)
      sorted = undefined
    }
    notes.take = async (key) => {
      const text = kept.get(key)
      if (kept.delete(key)) sorted = undefined
      return text
    }
    notes.list = async ({ prefix, after = '', limit }) => {
      sorted ??= [...kept.keys()].sort()
      return sorted
        .filter((key) => key.startsWith(prefix) && key > after)
        .slice(0, limit)
        .map((key) => ({ key, text: kept.get(key) ?? '' }))
    }
    const before = (n: number) => (2 ** 48 - 1 - clock.now() + n).toString(16).padStart(12, '0')
    const ofTenant = (n: number) => (n % 2 === 0 ? 'mallory' : `acme::p${n}`)
    for (let n = 1; n <= 12_000; n += 1) {
      const sub = n === 12_000 ? 'rare' : ofTenant(n)
      const text = JSON.stringify({ at: new Date(clock.now() - n).toISOString(), action: 'sign-in', sub })
      await notes.put({ key: `audit-sign-in/${before(n)}-00000000`, text }, until, clock.now())
    }
    let most = 0
    for (let window = 0; window < 20; window += 1) {
      for (let n = 0; n < 50; n += 1) void audit.record(signIn('new'))
      await clock.advance(600_000)
      most = Math.max(most, kept.size)
    }
    expect([most <= 13_000, kept.size <= 11_000, kept.size >= 10_000]).toEqual([true, true, true])
    expect((await all({ sub: 'new', limit: 100 })).length).toBe(1_000)
    expect((await all({ sub: 'rare', limit: 100 })).length).toBe(1)
    for (const n of [1, 2]) expect((await all({ sub: ofTenant(n), limit: 100 })).length).toBeGreaterThan(0)
    expect((await all({ sub: ofTenant(11_999), limit: 100 })).length).toBe(0)
  }, 60_000)

  test('Audit neither throws nor rejects when the store fails, says so once, and counts what it could not write', async () => {
    const { audit, all, notes, errors, told, clock } = fixture()
    const { put } = notes
    notes.put = () => Promise.reject(new Error('the disk is on fire'))
    for (let n = 0; n < 5; n += 1) await audit.record(signIn('ada'))
    expect([errors.length, told.length]).toEqual([1, 5])
    notes.put = put
    await clock.advance(600_000)
    expect(await all()).toEqual([expect.objectContaining({ action: 'sign-in', sub: 'ada', unrecorded: 5 })])
  })

  test('Audit has at most a hundred writes in progress, and counts the rest', async () => {
    const { audit, notes, all, clock } = fixture()
    const { put } = notes
    const held: (() => void)[] = []
    notes.put = async (...note) => {
      await new Promise<void>((resolve) => held.push(resolve))
      await put.call(notes, ...note)
    }
    const written = Array.from({ length: 150 }, (_, n) => audit.record(signIn(`p${n % 50}`)))
    expect(held.length).toBe(100)
    notes.put = put
    for (const go of held) go()
    await Promise.all(written)
    await clock.advance(600_000)
    const counted = (await all({ limit: 100 })).reduce((sum, { unrecorded = 1 }) => sum + unrecorded, 0)
    expect(counted).toBe(150)
  })

  test('Audit goes on after writes that never settle', async () => {
    const { audit, notes, all, clock } = fixture()
    const { put } = notes
    notes.put = () => new Promise(() => {})
    for (let n = 0; n < 100; n += 1) void audit.record(signIn(`p${n}`))
    notes.put = put
    await clock.advance(600_000)
    await audit.record(signIn('ada'))
    expect((await all()).map(({ sub }) => sub)).toEqual(['ada'])
  })

  test('Audit cuts tokens to their kind, wherever they are', async () => {
    const { audit, all, told } = fixture()
    const token = `mpst_watch_${'x'.repeat(40)}`
    await audit.record({ action: 'refused', sub: token, path: `/api/${token}`, detail: `No ${token}.`, job: token })
    expect(JSON.stringify([await all(), told])).not.toContain('xxxx')
    expect((await all())[0]).toMatchObject({ sub: 'mpst_watch_…', path: '/api/mpst_watch_…' })
  })

  test('close records what was only counted, and waits for what is being written', async () => {
    const { audit, all, clock } = fixture()
    for (let n = 0; n < 12; n += 1) void audit.record(refused('mallory'))
    await audit.close()
    expect([(await all()).map(({ unrecorded }) => unrecorded)[0], clock.pending]).toEqual([2, 0])
  })
})
