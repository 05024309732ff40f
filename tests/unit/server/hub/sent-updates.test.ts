import { describe, expect, test } from 'bun:test'
import type { OrderedUpdate } from '../../../../server/hub/sent-updates.ts'
import { MAX_UPDATES, SentUpdates } from '../../../../server/hub/sent-updates.ts'
import { newHeader } from '../../../arbitraries.ts'

const news = (id: string, position: number): OrderedUpdate => ({
  id,
  epoch: 'e1',
  position,
  header: newHeader({ id }),
  from: 0,
  bulkTouched: true,
})
const ids = (told: SentUpdates, position = 0) => [...told.after(position)].map(({ id }) => id)

describe('SentUpdates', () => {
  test('SentUpdates has each job once, at its newest position, and forgets what all have', () => {
    const told = new SentUpdates()
    for (const [position, id] of ['a', 'b', 'a', 'c'].entries()) told.add(news(id, position + 1))
    expect([ids(told), ids(told, 3)]).toEqual([['b', 'a', 'c'], ['c']])
    told.forget(3)
    expect(ids(told)).toEqual(['c'])
  })

  test('SentUpdates keeps the order, the places and the removals when it lets go of headers', () => {
    const told = new SentUpdates()
    told.add({ id: 'gone', epoch: 'e1', position: 1, removed: 'deleted' })
    for (let position = 2; position <= 50; position++) told.add(news(`${position}`, position))
    expect(told.trim()).toBe(0)
    const kept = [...told.after(0)]
    expect(kept.map(({ position }) => position)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(kept[0]).toEqual({ id: 'gone', epoch: 'e1', position: 1, removed: 'deleted' })
    expect(kept[1]).toEqual({ id: '2', epoch: 'e1', position: 2 })
    expect(kept.filter((entry) => 'header' in entry).map(({ position }) => position)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 19),
    )
  })

  test('SentUpdates says up to which position it forgot what was too much', () => {
    const told = new SentUpdates()
    const header = newHeader()
    for (let position = 1; position <= MAX_UPDATES + 2; position++)
      told.add({ ...news('x', position), header, id: `${position}` })
    expect(told.trim()).toBe(2)
    expect([...told.after(0)]).toHaveLength(MAX_UPDATES)
    expect(told.trim()).toBe(0)
  })
})
