import { describe, expect, test } from 'bun:test'
import type { Hub } from '../../../../server/hub/hub.ts'
import { FairTurns } from '../../../../server/jobs/fair-turns.ts'
import { settle } from '../../../virtual-clock.ts'
import { log, openAll, progress, type Reader, TestHub } from './test-hub.ts'

/** A header of about 16 KB. */
const large = { metadata: { text: 'x'.repeat(16_000) } }
/** A step of 64 KiB, and the job that exceeds it. */
const STEP = 64 * 1024 + 17_000

/** A hub whose turns of the event loop come when a test says so. By default, every step takes a whole turn. */
class SteppedHub extends TestHub {
  readonly #turns: (() => void)[]
  /** Calls of the engine that read a list or a document. */
  reads = 0

  /** @param time the monotonic clock; by default one on which a step takes longer than a turn has */
  constructor(time: { ms: number; perStep: number } = { ms: 0, perStep: 5 }) {
    const turns: (() => void)[] = []
    const monotonic = () => {
      time.ms += time.perStep
      return time.ms
    }
    super({ turns: new FairTurns({ monotonic, setTimeout: (run) => turns.push(run) }) })
    this.#turns = turns
    for (const method of ['list', 'changesSince'] as const) this.#count(method)
  }

  /** Runs the next turn. @returns whether there was one */
  async turn(): Promise<boolean> {
    const run = this.#turns.shift()
    run?.()
    await settle()
    return run !== undefined
  }

  /** Runs turns until nothing is queued. @returns the most reads, and the most bytes written to these readers, in any of them */
  async turnsOf(...readers: Reader[]): Promise<{ reads: number; bytes: number }> {
    const written = () => readers.flatMap(({ writes }) => writes).reduce((sum, { length }) => sum + length, 0)
    const most = { reads: 0, bytes: 0 }
    for (let before = { reads: this.reads, bytes: written() }; await this.turn(); ) {
      const after = { reads: this.reads, bytes: written() }
      most.reads = Math.max(most.reads, after.reads - before.reads)
      most.bytes = Math.max(most.bytes, after.bytes - before.bytes)
      before = after
    }
    return most
  }

  #count(method: 'list' | 'changesSince'): void {
    const engine = this.engine as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    const original = engine[method]?.bind(this.engine)
    engine[method] = async (...args) => {
      this.reads += 1
      return original?.(...args)
    }
  }
}

async function hubOf(jobs: number, fields: object = large, hub = new SteppedHub()): Promise<SteppedHub> {
  for (let n = 0; n < jobs; n++) await hub.create({ id: `${n}`, ...fields })
  return hub
}

async function openMany(
  hub: TestHub,
  count: number,
  open: (hub: Hub) => Promise<unknown> = openAll,
): Promise<Reader[]> {
  const readers: Reader[] = []
  for (let n = 0; n < count; n++) readers.push(await hub.open(open))
  return readers
}

const named = (count: number) => (hub: Hub) =>
  hub.openJobs(
    Array.from({ length: count }, (_, n) => ({ id: `${n}` })),
    { sub: 'ada' },
  )

describe('a stream that opens', () => {
  test('a stream of an owner reads or sends at most one small page in a turn', async () => {
    const hub = await hubOf(40)
    const reader = await hub.open(openAll)
    const most = await hub.turnsOf(reader)
    expect(reader.takeMessages()).toHaveLength(40)
    expect(most.reads).toBe(1)
    expect(most.bytes).toBeLessThan(STEP)
  })

  test('a stream of many jobs reads or sends one of them in a turn', async () => {
    const hub = await hubOf(100)
    const reader = await hub.open(named(100))
    const most = await hub.turnsOf(reader)
    expect(reader.takeMessages()).toHaveLength(100)
    expect(most.reads).toBe(1)
    expect(most.bytes).toBeLessThan(17_000)
  })

  test('a stream of many jobs sends what it has read before it reads more', async () => {
    const hub = await hubOf(100)
    const reader = await hub.open(named(100))
    let most = 0
    do most = Math.max(most, hub.reads - (reader.writes.length - 1))
    while (await hub.turn())
    expect(most).toBe(1)
  })

  test('a stream of many jobs reads one page at a time once a page has found no room', async () => {
    // All steps fit into one turn.
    const hub = await hubOf(20, {}, new SteppedHub({ ms: 0, perStep: 0 }))
    const reader = await hub.open(named(20))
    expect(reader.takeMessages()).toHaveLength(20)
    reader.hasRoom = false
    // More frames than are kept.
    for (let n = 0; n < 10; n++) {
      for (let job = 0; job < 20; job++) await hub.apply(`${job}`, progress(n))
      await hub.clock.advance(25)
    }
    reader.takesOneWrite = true
    hub.reads = 0
    for (let pages = 1; pages <= 20; pages++) {
      reader.drain()
      await settle()
      // Six were read when there was room, five of them in vain.
      expect([reader.writes.length, hub.reads]).toEqual([pages, pages + 5])
    }
    expect(new Set(reader.takeMessages()).size).toBe(20)
  })

  test('a stream of many jobs has six reads in progress while there is room', async () => {
    const hub = new TestHub()
    for (let n = 0; n < 20; n++) await hub.create({ id: `${n}` })
    let [inProgress, most] = [0, 0]
    const changesSince = hub.engine.changesSince.bind(hub.engine)
    hub.engine.changesSince = async (...args) => {
      most = Math.max(most, ++inProgress)
      await settle()
      inProgress -= 1
      return changesSince(...args)
    }
    const reader = await hub.open(named(20))
    while (!reader.greeting) await settle()
    expect([reader.takeMessages().length, most]).toEqual([20, 6])
  })

  test('a stream of a large document sends one page in a turn', async () => {
    const hub = await hubOf(1, {})
    const rows = Array.from({ length: 1_000 }, (_, n) => ({
      type: 'item' as const,
      id: `${n}`,
      label: 'x'.repeat(450),
    }))
    for (let n = 0; n < 5; n++) await hub.apply('0', ...rows.map((row) => ({ ...row, id: `${n} ${row.id}` })))
    const reader = await hub.open((hub) => hub.openJob('0', 'all', undefined, { sub: 'ada' }))
    const most = await hub.turnsOf(reader)
    expect(reader.takeMessages().at(-1)).toBe('patch e1-5001')
    expect(most.reads).toBe(1)
    expect(most.bytes).toBeLessThan(300_000)
  })

  test('a stream that opens waits for one step of another principal, however many that one has queued', async () => {
    const hub = await hubOf(40)
    await hub.create({ id: 'bobs', owner: 'bob' })
    const flood = await openMany(hub, 20)
    const reader = await hub.open((hub) => hub.openOwner('bob', undefined, { sub: 'bob' }))
    let turns = 0
    for (; reader.writes.length < 2; turns++) await hub.turn()
    expect(reader.takeMessages()).toEqual(['snapshot bobs e1-1'])
    expect(turns).toBeLessThanOrEqual(4)
    expect(flood.some(({ greeting }) => greeting)).toBe(false)
  })

  test('a stream that has left reads and sends nothing more', async () => {
    for (const open of [openAll, named(40)]) {
      for (const turns of [0, 1, 2, 3]) {
        const hub = await hubOf(40)
        const reader = await hub.open(open)
        for (let n = 0; n < turns; n++) await hub.turn()
        reader.cancel()
        const before = [hub.reads, reader.writes.length]
        while (await hub.turn());
        expect([hub.reads, reader.writes.length]).toEqual(before)
      }
    }
  })

  test('a stream without room reads and sends nothing more, and goes on when it has room', async () => {
    for (const open of [openAll, named(40)]) {
      for (const turns of [0, 1, 2, 3]) {
        const hub = await hubOf(40)
        const reader = await hub.open(open)
        for (let n = 0; n < turns; n++) await hub.turn()
        reader.hasRoom = false
        const before = [hub.reads, reader.writes.length]
        while (await hub.turn());
        expect([hub.reads, reader.writes.length]).toEqual(before)
        reader.drain()
        while (await hub.turn());
        expect(reader.takeMessages()).toHaveLength(40)
      }
    }
  })

  test('streams whose pages take no time to read send them in turns', async () => {
    const time = { ms: 0, perStep: 0 }
    const hub = new SteppedHub(time)
    for (let n = 0; n < 20; n++) await hub.create({ id: `${n}`, owner: `${n}`, ...large })
    // The first step has used up the turn.
    const readers = await openMany(hub, 1)
    time.ms += 5
    for (let n = 0; n < 20; n++) {
      const reader = await hub.open((hub) => hub.openOwner(`${n}`, undefined, { sub: `${n}` }))
      const write = reader.write.bind(reader)
      reader.write = (bytes) => {
        time.ms += bytes.length / 8_000
        write(bytes)
      }
      readers.push(reader)
    }
    const most = await hub.turnsOf(...readers)
    expect(readers.slice(1).map((reader) => reader.takeMessages().length)).toEqual(Array.from({ length: 20 }, () => 1))
    expect(most.reads).toBe(20)
    expect(most.bytes).toBeLessThan(STEP)
  })
})

describe('streams that open together', () => {
  test('streams of one owner share the pages that they list, and the bytes', async () => {
    const hub = await hubOf(40)
    const readers = await openMany(hub, 5)
    const [first, ...others] = readers
    while (await hub.turn());
    const alone = await hubOf(40)
    await alone.open(openAll)
    while (await alone.turn());
    // The first had read a page before the others joined.
    expect(hub.reads).toBeLessThanOrEqual(alone.reads + 1)
    for (const { writes } of others)
      expect(writes.slice(1).every((bytes, n) => bytes === others[0]?.writes[n + 1])).toBe(true)
    for (const reader of readers) expect(reader.takeMessages()).toHaveLength(40)
    expect(first?.greeting).toBeDefined()
  })

  test('a stream of an owner shares no page that was read before it opened', async () => {
    const hub = await hubOf(2)
    await openMany(hub, 3)
    while (await hub.turn());
    await hub.create({ id: 'new' })
    await hub.clock.advance(25)
    const reader = await hub.open(openAll)
    while (await hub.turn());
    expect(reader.takeMessages()).toEqual(['snapshot new e1-1', 'snapshot 1 e1-1', 'snapshot 0 e1-1'])
  })

  test('streams of one owner that share pages get a change made between the read and the send once', async () => {
    const hub = await hubOf(10)
    const readers = await openMany(hub, 3)
    await hub.turn()
    await hub.turn()
    await hub.apply('0', progress(1))
    await hub.create({ id: 'new' })
    await hub.engine.remove('1')
    await hub.clock.advance(25)
    while (await hub.turn());
    await hub.clock.advance(25)
    while (await hub.turn());
    for (const reader of readers) {
      const messages = reader.takeMessages()
      expect(messages.filter((message) => message.startsWith('snapshot 0 ')).at(-1)).toBe('snapshot 0 e1-2')
      expect(messages.filter((message) => message.includes(' new '))).toEqual(['snapshot new e1-1'])
      expect(messages.filter((message) => message.includes(' 1 ')).at(-1)).not.toBe('snapshot 1 e1-1')
      expect(reader.greeting).toBeDefined()
    }
  })

  test('streams of one job read it once, and share the bytes', async () => {
    const hub = await hubOf(1)
    await hub.apply('0', log('x'))
    const open = (hub: Hub) => hub.openJob('0', 'all', undefined, { sub: 'ada' })
    const readers = await openMany(hub, 5, open)
    while (await hub.turn());
    expect(hub.reads).toBeLessThanOrEqual(2)
    for (const reader of readers) expect(reader.takeMessages()).toEqual(['snapshot e1-2'])
  })

  test('streams of one job share the bytes even if each has read it', async () => {
    const time = { ms: 0, perStep: 0 }
    const hub = await hubOf(1, {}, new SteppedHub(time))
    await hub.create({ id: 'other' })
    const open = (id: string) => (hub: Hub) => hub.openJob(id, 'all', undefined, { sub: 'ada' })
    await hub.open(open('other'))
    time.ms += 5
    const readers = await openMany(hub, 5, open('0'))
    while (await hub.turn());
    expect(hub.reads).toBe(6)
    expect(new Set(readers.map(({ writes }) => writes[1])).size).toBe(1)
  })
})

describe('the check for lost wake-ups', () => {
  test('the check for lost wake-ups of all jobs reads one small page in a turn', async () => {
    const hub = await hubOf(40)
    await hub.open(openAll)
    while (await hub.turn());
    hub.reads = 0
    await hub.clock.advance(30_000)
    const most = await hub.turnsOf()
    expect(most.reads).toBe(1)
    expect(hub.reads).toBeGreaterThan(5)
  })
})
