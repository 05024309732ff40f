import { describe, expect, test } from 'bun:test'
import { MemoryEngine } from '../../../../../server/engines/memory.ts'
import { encodeInSlices, LARGE_READS, LargeDocuments } from '../../../../../server/jobs/paging/large-documents.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { systemClock } from '../../../../../shared/time/clock.ts'
import { created, documentOf, publish } from '../../../../conformance/fixtures.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'

const ITEMS = 10_000

const item = (index: number, label = `item ${index}`): JobEvent => ({ type: 'item', id: `${index}`, label })

async function withLargeJob(run: (engine: MemoryEngine, id: string) => Promise<void>): Promise<void> {
  const engine = new MemoryEngine()
  const { id } = await created(engine)
  const log: JobEvent = { type: 'log', message: 'line' }
  await publish(engine, id, [{ type: 'status', status: 'running', result: { rows: [1, 2, 3] } }, log])
  for (let from = 0; from < ITEMS; from += 1_000)
    await publish(
      engine,
      id,
      Array.from({ length: 1_000 }, (_, index) => item(from + index)),
    )
  await run(engine, id)
}

/** Does something in every turn of the event loop until it is stopped. @returns how many turns there were */
function countTurns(act: (turn: number) => void = () => {}): () => number {
  let turns = 0
  let isOver = false
  const next = () => {
    if (isOver) return
    act(turns++)
    setTimeout(next, 0)
  }
  setTimeout(next, 0)
  return () => {
    isOver = true
    return turns
  }
}

describe('LargeDocuments', () => {
  test('LargeDocuments reads a whole large document, with turns of the event loop in between', () =>
    withLargeJob(async (engine, id) => {
      const stop = countTurns()
      const read = await new LargeDocuments(engine, systemClock).read(undefined, id, undefined, 'all')
      expect(stop()).toBeGreaterThan(3)
      const { items } = await documentOf(engine, id)
      expect(read?.patch).toMatchObject({
        from: 0,
        to: ITEMS + 3,
        job: { result: { rows: [1, 2, 3] } },
        logs: { length: 1 },
      })
      expect(read?.patch.items).toEqual(items)
      expect(read?.release).toBeDefined()
      read?.release?.()
    }))

  test('LargeDocuments reads the newest state of rows that change while it reads', () =>
    withLargeJob(async (engine, id) => {
      const stop = countTurns((turn) => {
        if (turn < 3) void publish(engine, id, [item(turn, 'newer'), item(9_990 + turn, 'newer')])
      })
      const read = await new LargeDocuments(engine, systemClock).read(undefined, id, undefined, 'all')
      stop()
      expect(read?.patch.to).toBe(ITEMS + 9)
      expect(read?.patch.items).toEqual((await documentOf(engine, id)).items)
    }))

  test('LargeDocuments reads what changed since a cursor', () =>
    withLargeJob(async (engine, id) => {
      const { epoch } = await documentOf(engine, id)
      const read = await new LargeDocuments(engine, systemClock).read(undefined, id, { epoch, version: 3 }, 'all')
      expect(read?.patch).toMatchObject({ from: 3, to: ITEMS + 3, items: { length: ITEMS } })
      expect(read?.patch.job.result).toBeUndefined()
    }))

  test('LargeDocuments limits the concurrent reads of a job, until one is released', () =>
    withLargeJob(async (engine, id) => {
      const clock = new VirtualClock()
      const documents = new LargeDocuments(engine, clock)
      const reads = await Promise.all(
        Array.from({ length: LARGE_READS.job }, () => documents.read(undefined, id, undefined, 'all')),
      )
      const refused = await documents.read(undefined, id, undefined, 'all').catch((error) => error)
      expect(refused.problem.status).toBe(429)
      // What is small is read all the same.
      expect((await documents.read(undefined, id, undefined, 'header'))?.release).toBeUndefined()
      for (const read of reads.slice(0, 2)) read?.release?.()
      reads[0]?.release?.()
      const again = [
        await documents.read(undefined, id, undefined, 'all'),
        await documents.read(undefined, id, undefined, 'all'),
      ]
      expect(again.map((read) => read?.release)).not.toContain(undefined)
      // Readers that stall count for a minute.
      await clock.advance(60_000)
      for (let count = 0; count < LARGE_READS.job; count++) await documents.read(undefined, id, undefined, 'all')
    }))
})

describe('encodeInSlices', () => {
  test('encodeInSlices writes the same as JSON.stringify, a slice per turn', async () => {
    const rows = Array.from({ length: 1_234 }, (_, index) => ({ index, text: 'é"\n' }))
    for (const object of [
      {},
      { a: 1, gone: undefined, rows: [], more: { b: [1] } },
      { id: 'x', rows, last: null },
      { rows },
    ]) {
      let isDone = 0
      const stop = countTurns()
      const text = await new Response(encodeInSlices(object, () => (isDone += 1))).text()
      expect(text).toBe(JSON.stringify(object))
      expect(isDone).toBe(1)
      expect(stop()).toBeGreaterThan('rows' in object && object.rows.length > 0 ? 2 : 0)
    }
  })

  test('encodeInSlices calls done when its reader disconnects', async () => {
    let isDone = 0
    const stream = encodeInSlices({ rows: Array.from({ length: 5_000 }, () => 'x') }, () => (isDone += 1))
    const reader = stream.getReader()
    await reader.read()
    await reader.cancel()
    expect(isDone).toBe(1)
  })
})
