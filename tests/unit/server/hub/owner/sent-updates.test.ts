import { describe, expect, test } from 'bun:test'
import type { OrderedUpdate } from '../../../../../server/hub/owner/sent-updates.ts'
import { MAX_UPDATES, SentUpdates } from '../../../../../server/hub/owner/sent-updates.ts'
import { newHeader } from '../../../../arbitraries.ts'

const update = (id: string, position: number): OrderedUpdate => ({
  id,
  epoch: 'e1',
  position,
  header: newHeader({ id }),
  from: 0,
  bulkTouched: true,
})
const ids = (sent: SentUpdates, position = 0) => [...sent.after(position)].map(({ id }) => id)

describe('SentUpdates', () => {
  test('SentUpdates holds each job once, at its newest position, and forgets up to a position', () => {
    const sent = new SentUpdates()
    for (const [position, id] of ['a', 'b', 'a', 'c'].entries()) sent.add(update(id, position + 1))
    expect([ids(sent), ids(sent, 3)]).toEqual([['b', 'a', 'c'], ['c']])
    sent.forget(3)
    expect(ids(sent)).toEqual(['c'])
  })

  test('SentUpdates keeps order, positions and removals when it drops headers', () => {
    const sent = new SentUpdates()
    sent.add({ id: 'gone', epoch: 'e1', position: 1, removed: 'deleted' })
    for (let position = 2; position <= 50; position++) sent.add(update(`${position}`, position))
    expect(sent.trim()).toBe(0)
    const kept = [...sent.after(0)]
    expect(kept.map(({ position }) => position)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(kept[0]).toEqual({ id: 'gone', epoch: 'e1', position: 1, removed: 'deleted' })
    expect(kept[1]).toEqual({ id: '2', epoch: 'e1', position: 2 })
    expect(kept.filter((entry) => 'header' in entry).map(({ position }) => position)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 19),
    )
  })

  test('SentUpdates returns the position up to which it dropped updates beyond its bound', () => {
    const sent = new SentUpdates()
    const header = newHeader()
    for (let position = 1; position <= MAX_UPDATES + 2; position++)
      sent.add({ ...update('x', position), header, id: `${position}` })
    expect(sent.trim()).toBe(2)
    expect([...sent.after(0)]).toHaveLength(MAX_UPDATES)
    expect(sent.trim()).toBe(0)
  })
})
