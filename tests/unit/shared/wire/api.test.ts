import { describe, expect, test } from 'bun:test'
import { defaultLimits } from '../../../../shared/document/limits.ts'
import { createRequestSchemas, listQuerySchema } from '../../../../shared/wire/api.ts'

const { createJob, createToken, idempotencyKey } = createRequestSchemas(defaultLimits)

describe('createJob', () => {
  const job = { kind: 'import', title: 'Import' }
  const takes = (fields: object) => createJob.safeParse({ ...job, ...fields }).success

  test('createJob needs a kind and a title, and refuses what it does not know', () => {
    expect(createJob.parse(job)).toStrictEqual(job)
    expect([takes({ kind: undefined }), takes({ title: undefined }), takes({ title: ' ' })]).toEqual([
      false,
      false,
      false,
    ])
    expect([takes({ status: 'running' }), takes({ epoch: 'e1' }), takes({ createdBy: 'me' })]).toEqual([
      false,
      false,
      false,
    ])
  })

  test('createJob takes seconds above 0, up to ten years', () => {
    for (const key of ['heartbeatSeconds', 'timeoutSeconds']) {
      for (const value of [0.001, 1, 315_360_000]) expect(takes({ [key]: value })).toBe(true)
      for (const value of [0, -1, 315_360_001, Number.NaN, Number.POSITIVE_INFINITY, '1', null])
        expect(takes({ [key]: value })).toBe(false)
    }
  })

  test('createJob holds names and metadata to their limits', () => {
    expect([takes({ title: 'x'.repeat(512) }), takes({ title: 'x'.repeat(513) })]).toEqual([true, false])
    expect([takes({ owner: '中'.repeat(170) }), takes({ owner: '中'.repeat(171) })]).toEqual([true, false])
    expect([takes({ metadata: { a: 'x'.repeat(16_376) } }), takes({ metadata: { a: 'x'.repeat(16_377) } })]).toEqual([
      true,
      false,
    ])
    expect([takes({ id: '..' }), takes({ parentId: 'a/b' })]).toEqual([false, false])
  })
})

describe('createToken', () => {
  test('createToken is for an hour of watching unless it says otherwise', () => {
    expect(createToken.parse({})).toStrictEqual({ can: 'watch', seconds: 3_600 })
    expect(createToken.parse({ can: 'publish', seconds: 2_592_000 })).toStrictEqual({
      can: 'publish',
      seconds: 2_592_000,
    })
    for (const wrong of [{ seconds: 0 }, { seconds: 1.5 }, { seconds: 2_592_001 }, { can: 'admin' }, { sub: 'me' }])
      expect(createToken.safeParse(wrong).success).toBe(false)
  })
})

describe('idempotencyKey', () => {
  test('idempotencyKey is 1 to 255 visible ASCII characters', () => {
    for (const key of ['a', '"8e03978e"', '!~', 'x'.repeat(255)])
      expect(idempotencyKey.safeParse(key).success).toBe(true)
    for (const key of ['', ' ', 'a b', 'a\n', 'é', '\x7f', 'x'.repeat(256)])
      expect(idempotencyKey.safeParse(key).success).toBe(false)
  })
})

describe('listQuerySchema', () => {
  const limit = (limit: string) => listQuerySchema.safeParse({ limit }).data?.limit

  test('listQuerySchema reads a limit of 1 to 100, 50 without one', () => {
    expect(listQuerySchema.parse({}).limit).toBe(50)
    expect(['1', '100'].map(limit)).toEqual([1, 100])
    for (const wrong of ['0', '101', '-1', '1.5', 'x', 'NaN', 'Infinity']) expect(limit(wrong)).toBeUndefined()
  })

  test('listQuerySchema refuses an empty limit', () => {
    expect(limit('')).toBeUndefined()
  })

  test('listQuerySchema refuses what it does not know, and a status that there is not', () => {
    for (const wrong of [{ page: '2' }, { status: 'done' }, { parent: '../x' }, { cursor: '' }])
      expect(listQuerySchema.safeParse(wrong).success).toBe(false)
  })
})
