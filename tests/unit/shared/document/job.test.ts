import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { jobIdSchema, jobSchema, patchSchema } from '../../../../shared/document/job.ts'
import { newDocument } from '../../../arbitraries.ts'

const isId = (id: unknown) => jobIdSchema.safeParse(id).success

describe('jobIdSchema', () => {
  test('jobIdSchema takes 1 to 128 of A–Z a–z 0–9 . _ ~ -', () => {
    for (const id of ['a', '0', '-', '_', '~', '...', '.a', '__proto__', 'constructor', 'Az09._~-', 'x'.repeat(128)])
      expect(isId(id)).toBe(true)
    for (const id of [
      '',
      'x'.repeat(129),
      'a b',
      'a/b',
      'a%2fb',
      'é',
      'a\n',
      '\na',
      'a\0',
      'a@e1-1',
      '😀',
      1,
      null,
      undefined,
      ['a'],
    ])
      expect(isId(id)).toBe(false)
  })

  test('jobIdSchema refuses the segments that paths drop', () => {
    expect([isId('.'), isId('..')]).toEqual([false, false])
  })

  test('jobIdSchema takes nothing that a URL would change', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 3 }), (id) => {
        fc.pre(isId(id))
        expect(new URL(`/api/jobs/${id}/progress`, 'http://host').pathname).toBe(`/api/jobs/${id}/progress`)
        expect(encodeURIComponent(id)).toBe(id)
      }),
      { examples: [['.'], ['..'], ['...'], ['~'], ['a'], ['-._~']] },
    )
  })
})

describe('jobSchema', () => {
  test('jobSchema takes a new document, and refuses one without a field or with a wrong one', () => {
    const document = newDocument()
    expect(jobSchema.parse(document)).toStrictEqual(document)
    for (const key of Object.keys(document)) {
      const { [key]: _left, ...rest } = document as unknown as Record<string, unknown>
      expect(jobSchema.safeParse(rest).success).toBe(false)
      expect(jobSchema.safeParse({ ...document, [key]: { wrong: true } }).success).toBe(false)
    }
  })

  test('jobSchema takes epochs of [a-z0-9] alone, since a cursor is EPOCH-VERSION', () => {
    const isEpoch = (epoch: string) => jobSchema.safeParse(newDocument({ epoch })).success
    expect(['k3x9', '0'].map(isEpoch)).toEqual([true, true])
    expect(['', 'a-b', 'A', 'a b', 'é', 'a\n'].map(isEpoch)).toEqual([false, false, false, false, false, false])
  })
})

describe('patchSchema', () => {
  test('patchSchema knows more as true alone, and metadata cleared as null', () => {
    const { steps: _steps, items: _items, errors: _errors, logs: _logs, ...job } = newDocument()
    const takes = (fields: object) => patchSchema.safeParse({ from: 0, to: 1, job, ...fields }).success
    expect([takes({}), takes({ more: true }), takes({ more: false })]).toEqual([true, true, false])
    expect([takes({ job: { ...job, metadata: null } }), takes({ job: { ...job, title: null } })]).toEqual([true, false])
  })
})
