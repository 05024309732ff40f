import { describe, expect, test } from 'bun:test'
import type { AppliedEvent, JobEvent } from '../../../../shared/document/events.ts'
import { applyEvent, applyPatch, diffSince, patchApplies } from '../../../../shared/document/fold.ts'
import type { Patch } from '../../../../shared/document/job.ts'
import { mergeHeader } from '../../../../shared/document/merge-header.ts'
import { foldAll, instantOf, newDocument, newHeader, placed } from '../../../arbitraries.ts'

/** The document after events that follow its creation. */
const after = (...events: JobEvent[]) => foldAll(newDocument(), placed(events))

describe('applyEvent', () => {
  const next: AppliedEvent = { type: 'progress', done: 5, version: 4, at: instantOf(4) }
  const document = after({ type: 'progress', done: 1 }, { type: 'item', id: 'a', label: 'a' })

  test('applyEvent takes the very next event, and gives the document itself back for any other', () => {
    expect(applyEvent(document, next).progress.done).toBe(5)
    for (const version of [-1, 0, 1, 2, 3, 5, 6, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(applyEvent(document, { ...next, version })).toBe(document)
    }
  })

  test('applyEvent shares the rows that did not change', () => {
    const changed = applyEvent(document, next)
    expect(changed.items).toBe(document.items)
  })
})

describe('patchApplies', () => {
  const job = { epoch: 'e1', version: 5 }
  const patch = (from: number, to: number, epoch = 'e1'): Patch => ({
    from,
    to,
    job: newHeader({ epoch, version: to }),
  })

  test('patchApplies takes from ≤ version < to', () => {
    const taken: string[] = []
    for (let from = 0; from <= 7; from++)
      for (let to = from; to <= 7; to++) if (patchApplies(job, patch(from, to))) taken.push(`${from}-${to}`)
    expect(taken).toEqual(['0-6', '0-7', '1-6', '1-7', '2-6', '2-7', '3-6', '3-7', '4-6', '4-7', '5-6', '5-7'])
  })

  test('patchApplies takes of another epoch what begins at 0, however few its events', () => {
    expect(patchApplies(job, patch(0, 1, 'e2'))).toBe(true)
    expect(patchApplies(job, patch(1, 9, 'e2'))).toBe(false)
    expect(patchApplies(job, patch(5, 6, 'e2'))).toBe(false)
  })
})

describe('applyPatch', () => {
  const old = after(
    { type: 'status', status: 'running', result: 'old', metadata: { old: true }, message: 'old' },
    { type: 'step', id: 's', done: 1 },
    { type: 'item', id: 'i', label: 'i' },
    { type: 'error', message: 'e' },
    { type: 'log', message: 'l' },
  )

  test('applyPatch gives the document itself back when a patch says nothing new, or leaves a gap', () => {
    expect(applyPatch(old, diffSince(old, 3))).toBe(old)
    expect(applyPatch(old, { ...diffSince(old, 0), from: 7, to: 9 })).toBe(old)
  })

  test('applyPatch of another epoch from 0 leaves nothing of the life before', () => {
    const other = newDocument({ epoch: 'e2', title: 'Another' })
    expect(applyPatch(old, diffSince(other, 0))).toStrictEqual(other)
  })

  test('applyPatch keeps result and metadata that a patch leaves out, and clears them where it says null', () => {
    const header = { ...newHeader({ version: 8 }) }
    const kept = applyPatch(old, { from: 6, to: 8, job: header })
    expect([kept.result, kept.metadata]).toEqual(['old', { old: true }])
    const cleared = applyPatch(old, { from: 6, to: 8, job: { ...header, result: null, metadata: null } })
    expect('result' in cleared || 'metadata' in cleared).toBe(false)
  })

  test('applyPatch drops what the header no longer has', () => {
    expect('message' in applyPatch(old, { from: 6, to: 8, job: newHeader({ version: 8 }) })).toBe(false)
  })

  test('applyPatch takes no error and no line of the log twice from a patch that begins before the document', () => {
    const events = placed(new Array<JobEvent>(6).fill({ type: 'log', message: 'x' }))
    const document = foldAll(newDocument(), events.slice(0, 3))
    const newest = foldAll(newDocument(), events)
    expect(applyPatch(document, diffSince(newest, 2)).logs.map(({ version }) => version)).toEqual([2, 3, 4, 5, 6, 7])
  })
})

describe('mergeHeader', () => {
  test('mergeHeader lets nothing that is undefined or null into the header', () => {
    const merged = mergeHeader({ result: undefined, metadata: undefined }, { ...newHeader(), result: null })
    expect('result' in merged || 'metadata' in merged).toBe(false)
  })
})

describe('diffSince', () => {
  test('diffSince holds the header and the rows that changed after a version', () => {
    const job = after(
      { type: 'item', id: 'a', label: 'a' },
      { type: 'item', id: 'b', label: 'b' },
      { type: 'log', message: 'x' },
      { type: 'item', id: 'a', status: 'running' },
    )
    const { steps, items, errors, logs, ...header } = job
    expect(diffSince(job, 3)).toStrictEqual({
      from: 3,
      to: 5,
      job: { ...header, result: null, metadata: null },
      steps: [],
      items: [{ id: 'a', index: 0, version: 5, status: 'running', label: 'a' }],
      errors: [],
      logs: [{ version: 4, at: instantOf(4), level: 'info', message: 'x' }],
    })
  })
})
