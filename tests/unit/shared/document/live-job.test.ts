import { describe, expect, test } from 'bun:test'
import { applyEvent, diffSince } from '../../../../shared/document/fold.ts'
import type { Patch } from '../../../../shared/document/job.ts'
import { LiveJob } from '../../../../shared/document/live-job.ts'
import { foldAll, instantOf, newDocument, placed } from '../../../arbitraries.ts'

const events = placed([
  { type: 'item', id: 'a', label: 'a' },
  { type: 'item', id: 'b', label: 'b' },
  { type: 'step', id: 's', status: 'running' },
  { type: 'item', id: 'a', status: 'running' },
])
const newest = foldAll(newDocument(), events)

describe('LiveJob', () => {
  test('from takes a whole snapshot, and finds rows by their ids', () => {
    const live = LiveJob.from(diffSince(newest, 0))
    expect(live.job).toStrictEqual(newest)
    expect(live.item('a')).toStrictEqual({ id: 'a', index: 0, version: 5, status: 'running', label: 'a' })
    expect(live.step('s')).toStrictEqual({ id: 's', index: 0, version: 4, status: 'running', startedAt: instantOf(4) })
    expect([live.item('s'), live.step('a'), live.item('__proto__')]).toEqual([undefined, undefined, undefined])
  })

  test('from takes a first page whose rows stand behind ones that come later', () => {
    const { job, items, steps } = diffSince(newest, 0)
    const first: Patch = { from: 0, to: 4, more: true, job: { ...job, version: 4 }, items: items?.slice(1) ?? [] }
    const live = LiveJob.from({ ...first, steps: steps ?? [] })
    expect([live.job.version, live.item('a'), live.item('b')?.index]).toEqual([4, undefined, 1])
    expect(live.applyPatch({ from: 4, to: 5, job, items: items?.slice(0, 1) ?? [] })).toBe(true)
    expect(live.job).toStrictEqual(newest)
  })

  test('applyEvent takes the next event, and answers false to any other', () => {
    const live = LiveJob.from(diffSince(newDocument(), 0))
    expect(events.slice(1).map((event) => live.applyEvent(event))).toEqual([false, false, false])
    expect(events.map((event) => live.applyEvent(event))).toEqual([true, true, true, true])
    expect(events.map((event) => live.applyEvent(event))).toEqual([false, false, false, false])
    expect(live.job).toStrictEqual(newest)
  })

  test('applyPatch from 0 of another life forgets the rows of the life before', () => {
    const live = LiveJob.from(diffSince(newest, 0))
    const other = applyEvent(newDocument({ epoch: 'e2' }), {
      type: 'item',
      id: 'b',
      label: 'new',
      version: 2,
      at: instantOf(2),
    })
    expect(live.applyPatch(diffSince(other, 1))).toBe(false)
    expect(live.applyPatch(diffSince(other, 0))).toBe(true)
    expect(live.job).toStrictEqual(other)
    expect([live.item('a'), live.step('s'), live.item('b')?.index]).toEqual([undefined, undefined, 0])
  })

  test('job is another object after each change, with the same arrays', () => {
    const live = LiveJob.from(diffSince(newDocument(), 0))
    const { job } = live
    live.applyEvent(placed([{ type: 'item', id: 'a', label: 'a' }])[0] as (typeof events)[number])
    expect(live.job).not.toBe(job)
    expect(live.job.items).toBe(job.items)
  })
})
