import { describe, expect, test } from 'bun:test'
import { MemoryEngine } from '../../../../../server/engines/memory.ts'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { problems } from '../../../../../server/errors.ts'
import { StoreOutage } from '../../../../../server/jobs/background/store-outage.ts'
import { interleave, Sweeper } from '../../../../../server/jobs/background/sweeper.ts'
import type { Change, DueJob, Engine } from '../../../../../server/jobs/engine.ts'
import { TrustedClock } from '../../../../../server/jobs/trusted-clock.ts'
import type { JobHeader } from '../../../../../shared/document/job.ts'
import { systemClock } from '../../../../../shared/time/clock.ts'
import { newJob } from '../../../../conformance/fixtures.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'
import { withPath } from '../../engines/sqlite/sqlite-fixtures.ts'

const running = { type: 'status', status: 'running' } as const

describe('Sweeper in the app', () => {
  test('sweep cancels a job that is silent for 60 s after a cancel request', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    await app.clock.advance(600_000)
    await app.request('POST', `/api/jobs/${id}/cancel`)
    await app.clock.advance(59_000)
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(6_000)
    const { status, message, version } = await app.document(id)
    expect({ status, message, version }).toEqual({
      status: 'cancelled',
      message: 'Cancelled by the server: the producer did not answer',
      version: 4,
    })
  })

  test('sweep does not end a job whose producer reports', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, running)
    await app.request('POST', `/api/jobs/${id}/cancel`)
    for (let minute = 0; minute < 5; minute++) {
      await app.clock.advance(50_000)
      await app.publish(id, { type: 'log', message: 'putting things in order' })
    }
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(65_000)
    expect((await app.document(id)).status).toBe('cancelled')
  })

  test('sweep fails a job that times out', async () => {
    const app = new TestApp()
    const { id } = await app.create({ timeoutSeconds: 90 })
    await app.clock.advance(60_000)
    await app.publish(id, running)
    await app.clock.advance(89_000)
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(6_000)
    const { status, message } = await app.document(id)
    expect({ status, message }).toEqual({ status: 'failed', message: 'Not done within 90 seconds' })
  })

  test('sweep fails a job whose producer misses its heartbeats, after it was stalled, and not before its store was there', async () => {
    const app = new TestApp()
    const { id } = await app.create({ heartbeatSeconds: 60 })
    await app.publish(id, running)
    await app.clock.advance(299_000)
    expect(await app.document(id)).toMatchObject({ status: 'running', version: 2 })
    // A full disk, say: reads work, and no producer is heard.
    const apply = app.engine.apply.bind(app.engine)
    app.engine.apply = async () => ({ refused: problems.full() })
    expect((await app.publish(id, running)).status).toBe(507)
    await app.clock.advance(400_000)
    expect((await app.publish(id, running)).status).toBe(507)
    app.engine.apply = apply
    await app.clock.advance(290_000)
    expect((await app.document(id)).status).toBe('running')
    await app.clock.advance(75_000)
    const { status, message, version, errors } = await app.document(id)
    expect({ status, message, version }).toEqual({
      status: 'failed',
      message: 'Failed by the server: the producer went silent',
      version: 4,
    })
    expect(errors).toMatchObject([{ code: 'producer-silent', version: 3 }])
  })

  test('sweep removes jobs after their retention, with the reason expired', async () => {
    const app = new TestApp({ retentionSeconds: 3_600 })
    const { id } = await app.create()
    await app.publish(id, { type: 'status', status: 'completed' })
    expect((await app.document(id)).expiresAt).toBe('2026-01-01T01:00:00.000Z')
    const changes: Change[] = []
    await app.engine.watch({ job: id }, (change) => changes.push(change))
    await app.clock.advance(3_599_000)
    expect((await app.request('GET', `/api/jobs/${id}`)).status).toBe(200)
    await app.clock.advance(6_000)
    expect((await app.request('GET', `/api/jobs/${id}`)).status).toBe(404)
    expect(changes.map(({ removed }) => removed)).toEqual([true])
  })

  test('sweep keeps ended jobs for 30 days by default', async () => {
    const app = new TestApp()
    const { id } = await app.create()
    await app.publish(id, { type: 'status', status: 'completed' })
    expect((await app.document(id)).expiresAt).toBe('2026-01-31T00:00:00.000Z')
  })

  test('sweep continues after a failure of the engine, and tells of it once until a sweep succeeds', async () => {
    const app = new TestApp()
    const { id } = await app.create({ timeoutSeconds: 1 })
    const due = app.engine.due.bind(app.engine)
    app.engine.due = () => Promise.reject(new Error('away'))
    await app.clock.advance(31_000)
    expect(app.errors.map(String)).toEqual(['Error: away'])
    app.engine.due = due
    await app.clock.advance(5_000)
    expect((await app.document(id)).status).toBe('failed')
    app.engine.due = () => Promise.reject(new Error('away again'))
    await app.clock.advance(30_000)
    expect(app.errors.map(String)).toEqual(['Error: away', 'Error: away again'])
  })

  test('sweep stops when the app is closed', async () => {
    const app = new TestApp()
    // The next sweep, the next look for webhooks, and the next sample of the last hour.
    expect(app.clock.pending).toBe(3)
    await app.app.close()
    expect(app.clock.pending).toBe(0)
  })
})

/** The moment so many seconds after midnight. */
const at = (seconds: number) => new Date(Date.parse('2026-01-01') + seconds * 1_000).toISOString()

/** Jobs that began at midnight, and a sweeper that has been there since. */
class Fixture {
  readonly clock = new VirtualClock()
  readonly engine: MemoryEngine
  readonly errors: unknown[] = []
  readonly sweeper: Sweeper
  /** What was done to which job, in order. */
  readonly done: string[] = []

  constructor({ retentionSeconds = 60, engine = new MemoryEngine() } = {}) {
    this.engine = engine
    const clock = new TrustedClock(this.clock)
    const apply = engine.apply.bind(engine)
    engine.apply = async (id, batch) => {
      const applied = await apply(id, batch)
      if (batch.decide && 'repeat' in applied && !applied.repeat) this.done.push(`end ${id}`)
      return applied
    }
    const remove = engine.remove.bind(engine)
    engine.remove = async (id, only) => {
      const removed = await remove(id, only)
      if (removed) this.done.push(`remove ${id}`)
      return removed
    }
    this.sweeper = new Sweeper({
      engine,
      outage: new StoreOutage(),
      clock,
      retentionSeconds,
      onError: (error) => this.errors.push(error),
    })
  }

  async make(id: string, fields: Partial<JobHeader> = {}): Promise<void> {
    const now = at(0)
    await this.engine.create(newJob({ id, createdAt: now, updatedAt: now, lastEventAt: now, ...fields }))
  }

  /** A job that ended after so many seconds; its expiry is written in it if there was a retention then. */
  async makeEnded(id: string, seconds: number, retentionSeconds?: number): Promise<void> {
    await this.make(id)
    const batch = { events: [{ type: 'status', status: 'completed' } as const], at: at(seconds) }
    await this.engine.apply(id, retentionSeconds === undefined ? batch : { ...batch, retentionSeconds })
  }

  /** Sweeps, and lets no more time pass than the timers need. */
  async sweep(): Promise<void> {
    const swept = this.sweeper.sweep()
    await this.clock.advance(1)
    await swept
  }
}

describe('Sweeper', () => {
  test('sweep ends jobs before it removes others, even if those were due earlier', async () => {
    const fixture = new Fixture()
    await fixture.makeEnded('expired', 0, 10)
    await fixture.makeEnded('kept', 0)
    await fixture.make('late', { timeoutSeconds: 300 })
    await fixture.clock.advance(600_000)
    await fixture.sweep()
    expect(fixture.done).toEqual(['end late', 'remove expired', 'remove kept'])
  })

  test('sweep uses the retention set now for jobs that ended without an expiry', async () => {
    const fixture = new Fixture({ retentionSeconds: 100 })
    await fixture.makeEnded('early', 0)
    await fixture.makeEnded('late', 50)
    await fixture.clock.advance(100_000)
    await fixture.sweep()
    expect(fixture.done).toEqual(['remove early'])
    await fixture.clock.advance(50_000)
    await fixture.sweep()
    expect(fixture.done).toEqual(['remove early', 'remove late'])
  })

  test('sweep goes on when one job fails, tells of it once until it succeeds, and tries again', async () => {
    const fixture = new Fixture()
    const names = Array.from({ length: 200 }, (_, index) => `job-${index}`)
    for (const [index, id] of names.entries()) await fixture.make(id, { timeoutSeconds: 1 + index / 1_000 })
    const apply = fixture.engine.apply
    const failing = new Set(['job-0', 'job-77'])
    fixture.engine.apply = async (id, batch) => {
      if (!failing.has(id)) return apply(id, batch)
      if (id === 'job-0') throw new Error('broken')
      return { refused: problems.unavailable('The disk is full') }
    }
    await fixture.clock.advance(100_000)
    await fixture.sweep()
    expect(fixture.done).toHaveLength(198)
    await fixture.sweep()
    const told = fixture.errors.map((error) => error instanceof Error && [error.message, String(error.cause)])
    expect(told).toEqual([
      ['Job job-0 is due, but ending or removing it failed; the next sweep retries', 'Error: broken'],
      ['Job job-77 is due, but ending or removing it failed; the next sweep retries', 'Error: The disk is full'],
    ])
    failing.clear()
    await fixture.sweep()
    expect(fixture.done.slice(198)).toEqual(['end job-0', 'end job-77'])
    expect(fixture.errors).toHaveLength(2)
  })

  test('sweep looks again for jobs to be ended while it removes many', async () => {
    const fixture = new Fixture()
    for (let index = 0; index < 200; index++) await fixture.makeEnded(`old-${index}`, 0, 1)
    await fixture.make('late', { timeoutSeconds: 601 })
    await fixture.clock.advance(600_000)
    const remove = fixture.engine.remove
    fixture.engine.remove = async (id, only) => {
      await new Promise<void>((resolve) => fixture.clock.setTimeout(resolve, 3_000))
      return remove(id, only)
    }
    const swept = fixture.sweeper.sweep()
    await fixture.clock.advance(60_000)
    await swept
    const place = fixture.done.indexOf('end late')
    expect(place).toBeGreaterThan(0)
    expect(place).toBeLessThan(200)
    expect(fixture.done).toHaveLength(201)
  })

  test('sweep gives each principal its turn', async () => {
    const fixture = new Fixture()
    for (let index = 0; index < 500; index++)
      await fixture.make(`many-${index}`, { timeoutSeconds: 1, createdBy: 'eve' })
    await fixture.make('one', { timeoutSeconds: 100, createdBy: 'ada' })
    await fixture.clock.advance(200_000)
    await fixture.sweep()
    expect(fixture.done.indexOf('end one')).toBeLessThan(2)
    expect(fixture.done).toHaveLength(501)
  })

  test('sweep of a server that was away ends nothing before its producers had a minute', async () => {
    const before = new Fixture()
    await before.make('silent', { status: 'running', cancelRequested: true })
    await before.make('late', { status: 'running', startedAt: at(0), timeoutSeconds: 60 })
    await before.clock.advance(3_600_000)
    // It starts, and finds what is long due.
    const engine = before.engine
    const clock = new TrustedClock(before.clock)
    const sweeper = new Sweeper({ engine, outage: new StoreOutage(), clock, retentionSeconds: 60, onError: () => {} })
    const sweep = async () => {
      const swept = sweeper.sweep()
      await before.clock.advance(1)
      await swept
    }
    await sweep()
    await before.clock.advance(59_000)
    await sweep()
    expect(before.done).toEqual([])
    await before.clock.advance(1_000)
    await sweep()
    expect(before.done.sort()).toEqual(['end late', 'end silent'])
  })

  test('sweep of a server that starts with its clock far ahead ends and removes nothing once the clock is mended', async () => {
    const before = new Fixture()
    await before.make('late', { status: 'running', startedAt: at(0), timeoutSeconds: 3_600 })
    await before.make('kept', { status: 'completed', endedAt: at(0), expiresAt: at(3_600) })
    await before.make('old', { status: 'completed', endedAt: at(0) })
    const stopped = before.clock.now()
    before.clock.step(40 * 86_400_000)
    const clock = new TrustedClock(before.clock, stopped)
    const sweeper = new Sweeper({
      engine: before.engine,
      outage: new StoreOutage(),
      clock,
      retentionSeconds: 86_400,
      onError: () => {},
    })
    const sweepFor = async (ms: number) => {
      for (const end = before.clock.monotonic() + ms; before.clock.monotonic() < end; ) {
        const swept = sweeper.sweep()
        await before.clock.advance(5_000)
        await swept
      }
    }
    await sweepFor(120_000)
    before.clock.step(-40 * 86_400_000)
    await sweepFor(3_000_000)
    expect(before.done).toEqual([])
    await sweepFor(1_200_000)
    expect(before.done.sort()).toEqual(['end late', 'remove kept'])
  })

  test('sweep of a server that starts with its clock far behind ends and removes what is due once the clock is mended', async () => {
    const before = new Fixture()
    await before.make('late', { status: 'running', startedAt: at(0), timeoutSeconds: 3_600 })
    await before.make('kept', { status: 'completed', endedAt: at(0), expiresAt: at(3_600) })
    await before.make('old', { status: 'completed', endedAt: at(0) })
    const stopped = before.clock.now()
    before.clock.step(-730 * 86_400_000)
    const clock = new TrustedClock(before.clock, stopped)
    const sweeper = new Sweeper({
      engine: before.engine,
      outage: new StoreOutage(),
      clock,
      retentionSeconds: 7_200,
      onError: () => {},
    })
    const sweepUntil = async (seconds: number) => {
      while (before.clock.monotonic() < seconds * 1_000) {
        const swept = sweeper.sweep()
        await before.clock.advance(5_000)
        await swept
      }
    }
    await sweepUntil(60)
    before.clock.step(730 * 86_400_000)
    await sweepUntil(3_595)
    expect([before.done, clock.steps.length]).toEqual([[], 1])
    await sweepUntil(3_610)
    expect(before.done.sort()).toEqual(['end late', 'remove kept'])
    await sweepUntil(7_210)
    expect(before.done).toContain('remove old')
  })

  test('sweep of a server that was away for long removes what is due once its clock has settled', async () => {
    const before = new Fixture()
    await before.make('kept', { status: 'completed', endedAt: at(0), expiresAt: at(3_600) })
    const stopped = before.clock.now()
    await before.clock.advance(40 * 86_400_000)
    const clock = new TrustedClock(before.clock, stopped)
    const sweeper = new Sweeper({
      engine: before.engine,
      outage: new StoreOutage(),
      clock,
      retentionSeconds: 60,
      onError: () => {},
    })
    for (const [ms, done] of [
      [299_999, []],
      [1, ['remove kept']],
    ] as const) {
      await before.clock.advance(ms)
      const swept = sweeper.sweep()
      await before.clock.advance(0)
      await swept
      expect(before.done).toEqual([...done])
    }
  })

  test('stop ends a sweep after the current slice', async () => {
    const fixture = new Fixture()
    for (let index = 0; index < 500; index++) await fixture.make(`job-${index}`, { timeoutSeconds: 1 })
    await fixture.clock.advance(200_000)
    const apply = fixture.engine.apply
    fixture.engine.apply = (id, batch) => {
      fixture.sweeper.stop()
      return apply(id, batch)
    }
    await fixture.sweep()
    expect(fixture.done.length).toBeLessThan(500)
    expect(fixture.clock.pending).toBe(0)
  })
})

describe('Sweeper with thousands of due jobs', () => {
  /** Sweeps in real time. */
  async function sweepAll(engine: Engine, count: number): Promise<void> {
    const createdAt = '2026-01-01T00:00:00.000Z'
    const jobs = Array.from({ length: count }, (_, index) =>
      newJob({ createdAt, lastEventAt: createdAt, timeoutSeconds: 1, createdBy: `p${index % 3}` }),
    )
    await Promise.all(jobs.map((job) => engine.create(job)))
    // A server that has been there for longer than the grace after a start.
    let offset = -100_000
    const clock = new TrustedClock({
      ...systemClock,
      now: () => Date.now() + offset,
      monotonic: () => performance.now() + offset,
    })
    offset = 0
    const errors: unknown[] = []
    const sweeper = new Sweeper({
      engine,
      outage: new StoreOutage(),
      clock,
      retentionSeconds: 60,
      onError: (error) => errors.push(error),
    })
    let turns = 0
    const countTurn = () => {
      turns++
      counting = setImmediate(countTurn)
    }
    let counting = setImmediate(countTurn)
    await sweeper.sweep()
    clearImmediate(counting)
    expect(errors).toEqual([])
    const ended = await Promise.all(jobs.map(({ header }) => engine.read(header.id)))
    expect(ended.filter((job) => job?.header.status === 'failed')).toHaveLength(count)
    // Whatever else waited had its turn.
    expect(turns).toBeGreaterThan(count / 100)
  }

  test('sweep processes them all in one run, with memory', async () => {
    await sweepAll(new MemoryEngine(), 10_000)
  }, 180_000)

  test('sweep processes them all in one run, with SQLite', async () => {
    await withPath(async (path) => {
      const engine = await SqliteEngine.open(path)
      await sweepAll(engine, 3_000)
      await engine.close()
    })
  }, 180_000)
})

describe('interleave', () => {
  test('interleave gives each principal one of its jobs at a time, in their order', () => {
    const jobs = (createdBy: string, ids: string) => [...ids].map((id, at): DueJob => ({ id, at, createdBy }))
    const ordered = interleave([...jobs('a', 'uvw'), ...jobs('b', 'x'), ...jobs('c', 'yz')])
    expect(ordered.map(({ id }) => id).join('')).toBe('uxyvzw')
    expect(interleave([])).toEqual([])
  })
})
