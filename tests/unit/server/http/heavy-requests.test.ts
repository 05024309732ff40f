import { describe, expect, test } from 'bun:test'
import { listPage } from '../../../../server/http/list-page.ts'
import { FairTurns } from '../../../../server/jobs/fair-turns.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import type { Timer } from '../../../../shared/time/clock.ts'
import type { JobList } from '../../../../shared/wire/api.ts'
import { TestApp } from '../../../support/test-app.ts'
import { virtualToken } from '../../../support/tokens.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

/** A clock on which everything takes time: a millisecond passes with each look at it. */
class TickingClock extends VirtualClock {
  /** Turns of the event loop that were asked for. */
  turns = 0
  #spent = 0

  override monotonic(): number {
    this.#spent += 1
    return super.monotonic() + this.#spent
  }

  override now(): number {
    return super.now() + this.#spent
  }

  override setTimeout(run: () => void, ms: number): Timer {
    if (ms === 0) this.turns += 1
    return super.setTimeout(run, ms)
  }
}

/** An app, and the answers that it gave. */
function create() {
  const clock = new TickingClock()
  const app = new TestApp({ clock })
  const answered: string[] = []
  const note = async (name: string, response: Response | Promise<Response>) => {
    const answer = await response
    answered.push(name)
    return answer
  }
  const until = async (name: string) => {
    for (await settle(); !answered.includes(name); ) await clock.advance(0)
  }
  const asBob = async (path: string) =>
    app.app.request(path, { headers: { authorization: `Bearer ${await virtualToken('bob')}` } })
  return { app, answered, asBob, clock, note, until }
}

describe('heavy requests', () => {
  test('a publish of a thousand events is validated in several turns, and others are answered meanwhile', async () => {
    const { app, answered, asBob, clock, note, until } = create()
    const { id } = await app.create()
    const events = Array.from(
      { length: 1_000 },
      (_, n) => ({ type: 'item', id: `i${n}`, label: 'x'.repeat(50) }) as const,
    )
    clock.turns = 0
    const publish = note('publish', app.publish(id, ...events))
    await settle()
    expect((await note('other', asBob('/api/jobs/none'))).status).toBe(404)
    expect(answered).toEqual(['other'])
    await until('publish')
    expect(clock.turns).toBeGreaterThan(1)
    expect((await publish).status).toBe(200)
    expect((await app.document(id)).items.length).toBe(1_000)
  })

  test('a publish to a thousand jobs is validated and applied in several turns, and others are answered meanwhile', async () => {
    const { app, answered, asBob, clock, note, until } = create()
    for (const id of ['a', 'b']) await app.create({ id })
    const events = Array.from({ length: 4 }, (_, n) => ({ type: 'log', message: `${n}` }))
    const batches = Array.from({ length: 1_000 }, (_, n) => ({ job: n % 2 ? 'a' : 'b', events, key: `${n}` }))
    clock.turns = 0
    const publish = note('publish', app.request('POST', '/api/events', batches))
    await settle()
    expect((await note('other', asBob('/api/jobs/none'))).status).toBe(404)
    expect(answered).toEqual(['other'])
    await until('publish')
    expect(clock.turns).toBeGreaterThan(100)
    expect((await publish).status).toBe(200)
    expect((await app.document('a')).version).toBe(2_001)
  })

  test('a page of large jobs is read in several turns, and others are answered meanwhile', async () => {
    const { app, answered, asBob, clock, note, until } = create()
    const metadata = { text: 'x'.repeat(15_000) }
    for (let n = 0; n < 41; n++) await app.create({ id: `job-${n}`, metadata })
    clock.turns = 0
    const page = note('page', app.request('GET', '/api/jobs?limit=40'))
    await settle()
    expect((await note('other', asBob('/api/jobs/none'))).status).toBe(404)
    expect(answered).toEqual(['other'])
    await until('page')
    expect(clock.turns).toBeGreaterThan(1)
    const { jobs, nextCursor } = (await (await page).json()) as JobList
    expect(jobs.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, n) => `job-${40 - n}`))
    const rest = note('rest', app.request('GET', `/api/jobs?cursor=${nextCursor}`))
    await until('rest')
    expect(((await (await rest).json()) as JobList).jobs.map(({ id }) => id)).toEqual(['job-0'])
  })
})

describe('listPage', () => {
  const header = (id: number, bytes: number) => ({ id: `${id}`, title: 'x'.repeat(bytes) }) as JobHeader

  test('ends a page at about a megabyte, at a step that ends the list, and at the limit', async () => {
    for (const [bytes, all, limit, expected] of [
      [20_000, 100, 100, 49],
      [10, 40, 100, 40],
      [10, 100, 100, 100],
      [10, 0, 100, 0],
      [10, 100, 1, 1],
    ] as const) {
      let at = 0
      const list = {
        read: async ({ limit: most, maxBytes = 0 }: { limit: number; maxBytes?: number }) => {
          const fitting = Math.max(1, Math.floor(maxBytes / (bytes + 20)))
          const jobs = Array.from({ length: Math.min(most, fitting, all - at) }, (_, n) => header(at + n, bytes))
          at += jobs.length
          return { jobs, isLast: at === all }
        },
        nextCursor: async () => (at < all ? `after "${at}"` : undefined),
      }
      const page = JSON.parse(await listPage(list, limit, 'ada', new FairTurns(new VirtualClock()))) as JobList
      expect(page.jobs.map(({ id }) => id)).toEqual(Array.from({ length: expected }, (_, n) => `${n}`))
      expect(page.nextCursor).toBe(expected < all ? `after "${expected}"` : undefined)
    }
  })

  test('reads a page in one step where there are no turns', async () => {
    const sizes: object[] = []
    const read = async (size: { limit: number; maxBytes?: number }) => {
      sizes.push(size)
      return { jobs: [header(1, 1)], isLast: true }
    }
    await listPage({ read, nextCursor: async () => undefined }, 100, 'ada', undefined)
    expect(sizes).toEqual([{ limit: 100, maxBytes: 1_000_000 }])
  })
})
