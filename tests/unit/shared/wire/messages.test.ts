import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { applyPatch } from '../../../../shared/document/fold.ts'
import { LiveJob } from '../../../../shared/document/live-job.ts'
import { patchOfSnapshot } from '../../../../shared/wire/messages.ts'
import { foldAll, history, newDocument, placed } from '../../../arbitraries.ts'

describe('patchOfSnapshot', () => {
  test('patchOfSnapshot is the patch from 0 that makes the document, out of nothing or over another life', () => {
    fc.assert(
      fc.property(history, (events) => {
        const job = foldAll(newDocument(), placed(events))
        const patch = patchOfSnapshot(job)
        expect([patch.from, patch.to, 'more' in patch]).toEqual([0, job.version, false])
        expect(LiveJob.from(patch).job).toStrictEqual(job)
        expect(applyPatch(newDocument({ epoch: 'other', result: 1, version: 99 }), patch)).toStrictEqual(job)
      }),
    )
  })

  test('patchOfSnapshot keeps more, and keeps it out of the header', () => {
    const patch = patchOfSnapshot({ ...newDocument({ version: 7 }), more: true })
    expect([patch.from, patch.to, patch.more, 'more' in patch.job]).toEqual([0, 7, true, false])
  })
})
