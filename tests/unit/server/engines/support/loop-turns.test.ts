import { describe, expect, test } from 'bun:test'
import { LoopTurns } from '../../../../../server/engines/support/loop-turns.ts'
import type { JobEvent } from '../../../../../shared/document/events.ts'
import { created, publish } from '../../../../conformance/fixtures.ts'
import { withEngine } from '../sqlite/sqlite-fixtures.ts'

/** Counts the turns of the event loop until the test is over. */
function countTurns() {
  let turn = 0
  let timer: ReturnType<typeof setImmediate>
  const count = () => {
    turn += 1
    timer = setImmediate(count)
  }
  timer = setImmediate(count)
  return { now: () => turn, [Symbol.dispose]: () => clearImmediate(timer) }
}

describe('LoopTurns', () => {
  test('LoopTurns gives each piece of work a turn of the event loop, in the order in which they came', async () => {
    using turns = countTurns()
    const gate = new LoopTurns()
    const taken: [name: string, turn: number][] = []
    const take = async (name: string) => {
      await gate.take()
      taken.push([name, turns.now()])
    }
    await Promise.all([take('a'), take('b'), take('c').then(() => take('e')), take('d')])
    expect(taken.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(new Set(taken.map(([, turn]) => turn)).size).toBe(5)
  })

  test('LoopTurns lets through at once what comes when nothing did in this turn', async () => {
    using turns = countTurns()
    const gate = new LoopTurns()
    await gate.take()
    expect(turns.now()).toBe(0)
  })
})

describe('SqliteEngine reads', () => {
  test('changesSince of a large job is one page a turn, however many read it, and a small one is not kept waiting', () =>
    withEngine(async ({ engine }) => {
      const { id } = await created(engine)
      const small = await created(engine)
      const items = (from: number): JobEvent[] =>
        Array.from({ length: 1_000 }, (_, index): JobEvent => ({ type: 'item', id: `${from + index}`, label: 'A' }))
      for (const from of [0, 1_000, 2_000]) await publish(engine, id, items(from))
      await publish(engine, small.id, [{ type: 'log', message: 'line' }])
      using turns = countTurns()
      const pages: number[] = []
      const readAll = async () => {
        for (let cursor: { epoch: string; version: number } | undefined; ; ) {
          const patch = await engine.changesSince(id, cursor, { view: 'all', maxBytes: 50_000 })
          if (!patch) throw new Error('The job is gone')
          if (patch.to - patch.from > 100) pages.push(turns.now())
          if (!patch.more) return
          cursor = { epoch: patch.job.epoch, version: patch.to }
        }
      }
      const readers = Promise.all(Array.from({ length: 5 }, readAll))
      const before = turns.now()
      await engine.changesSince(small.id, undefined, { view: 'all', maxBytes: 50_000 })
      expect(turns.now()).toBe(before)
      await readers
      expect(pages.length).toBeGreaterThan(25)
      // The last page of each has few rows, and waits for nothing.
      const large = pages.length - 5
      expect(new Set(pages).size).toBeGreaterThanOrEqual(large)
    }))
})
