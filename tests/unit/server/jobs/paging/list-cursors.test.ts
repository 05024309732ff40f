import { describe, expect, test } from 'bun:test'
import { ProblemError } from '../../../../../server/errors.ts'
import { ListCursors } from '../../../../../server/jobs/paging/list-cursors.ts'
import { systemRandom } from '../../../../../shared/time/clock.ts'
import { SECRET } from '../../../../support/tokens.ts'

const OTHER_SECRET = 'another-secret-of-these-tests-0123456789'
const create = (secrets: string | string[] = SECRET) => new ListCursors(secrets, systemRandom)

/** The fields that the refusal names, or what was opened. */
async function opened(cursors: ListCursors, cursor: string, sub = 'ada', owner: string | undefined = 'ada') {
  try {
    return await cursors.open(cursor, sub, owner)
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    const { status, errors = [] } = error.problem
    return [status, ...errors.map(({ field }) => field)]
  }
}

describe('ListCursors', () => {
  test('ListCursors opens what it sealed, for the same principal and owner alone', async () => {
    const cursors = create()
    const sealed = await cursors.seal('42', 'ada', 'ada')
    expect(await opened(cursors, sealed)).toBe('42')
    const everyone = await cursors.seal('42', 'root', undefined)
    expect(await cursors.open(everyone, 'root', undefined)).toBe('42')
    for (const [cursor, sub, owner] of [
      [sealed, 'eve', 'eve'],
      [sealed, 'root', 'ada'],
      [sealed, 'ada', 'eve'],
      [everyone, 'root', 'root'],
      [everyone, 'ada', 'ada'],
    ] as const)
      expect(await opened(cursors, cursor, sub, owner)).toEqual([422, 'cursor'])
  })

  test('ListCursors hides the number in a cursor: neither text nor length reveals it', async () => {
    const cursors = create()
    const sealed = await Promise.all(['1', '2', '9007199254740991'].map((cursor) => cursors.seal(cursor, 'ada', 'ada')))
    expect(new Set(sealed.map(({ length }) => length)).size).toBe(1)
    expect(await cursors.seal('1', 'ada', 'ada')).not.toBe(sealed[0])
    // The longest that an engine gives: a number and an id. The query takes 256 characters.
    expect((await cursors.seal(`${'9'.repeat(16)}-${'x'.repeat(128)}`, 'ada', 'ada')).length).toBeLessThanOrEqual(256)
  })

  test('ListCursors refuses a cursor that it did not seal', async () => {
    const cursors = create()
    const sealed = await cursors.seal('42', 'ada', 'ada')
    const changed = sealed.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    for (const text of ['42', '\0', '--', '%', '中', 'A', 'A'.repeat(79), 'A'.repeat(80), changed, sealed.slice(0, -4)])
      expect([text, await opened(cursors, text)]).toEqual([text, [422, 'cursor']])
  })

  test('ListCursors seals with the first secret, and opens with any', async () => {
    const both = create([SECRET, OTHER_SECRET])
    expect(await opened(both, await create(OTHER_SECRET).seal('42', 'ada', 'ada'))).toBe('42')
    const sealed = await both.seal('42', 'ada', 'ada')
    expect(await opened(create(), sealed)).toBe('42')
    expect(await opened(create(OTHER_SECRET), sealed)).toEqual([422, 'cursor'])
  })
})
