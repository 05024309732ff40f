import { describe, expect, test } from 'bun:test'
import { TokenSource } from '../../../../../client/connection/access/token-source.ts'
import { settle, VirtualClock } from '../../../../virtual-clock.ts'

/** A token as the server makes them: its claims can be read. */
const tokenOf = (claims: object, number = 0) =>
  `mpst_watch_h.${Buffer.from(JSON.stringify({ ...claims, number })).toString('base64url')}.s`

function source(give: (number: number) => string | Promise<string>, token?: string, now?: string) {
  const clock = new VirtualClock(now)
  const problems: string[] = []
  let asked = 0
  const made = new TokenSource({
    token,
    clock,
    getToken: () => {
      asked += 1
      return give(asked)
    },
    onProblem: (problem) => problems.push(problem),
  })
  const seconds = clock.now() / 1_000
  return { clock, problems, source: made, asked: () => asked, seconds }
}

describe('TokenSource', () => {
  test('TokenSource asks once for all who need the first token', async () => {
    const { source: tokens, asked } = source((number) => `opaque-${number}`)
    expect(await Promise.all([tokens.get(), tokens.get()])).toEqual(['opaque-1', 'opaque-1'])
    expect([await tokens.get(), asked(), tokens.renewInMs]).toEqual(['opaque-1', 1, undefined])
  })

  test('TokenSource says when nine tenths of the life of a token are over, and gives it until it ends', async () => {
    const { source: tokens, clock, seconds } = source((number) => tokenOf({ iat: seconds, exp: seconds + 100 }, number))
    const first = await tokens.get()
    expect(tokens.renewInMs).toBe(90_000)
    await clock.advance(95_000)
    // Used once more, while the next is asked for.
    expect(await tokens.get()).toBe(first)
    await settle()
    expect(tokens.renewInMs).toBe(90_000)
    expect(await tokens.get()).toBe(tokenOf({ iat: seconds, exp: seconds + 100 }, 2))
  })

  test('TokenSource trusts the life of a new token, not a clock that is wrong by hours', async () => {
    const { source: tokens, seconds } = source(() => tokenOf({ iat: seconds - 7_200, exp: seconds - 3_600 }))
    await tokens.get()
    expect(tokens.renewInMs).toBe(3_240_000)
  })

  test('TokenSource leaves it to the server whether a new token without a beginning has ended', async () => {
    const { source: tokens, seconds } = source(() => tokenOf({ exp: seconds - 3_600 }))
    await tokens.get()
    expect(tokens.renewInMs).toBeUndefined()
  })

  test('TokenSource takes a token that it is given for what is left of it', async () => {
    const clock = new VirtualClock()
    const token = tokenOf({ iat: clock.now() / 1_000 - 3_500, exp: clock.now() / 1_000 + 100 })
    const { source: tokens, asked } = source(() => 'next', token)
    expect([await tokens.get(), tokens.renewInMs, asked()]).toEqual([token, 90_000, 0])
  })

  test('TokenSource asks for another after a refusal, but not for a refusal of one before', async () => {
    const { source: tokens, asked } = source((number) => `opaque-${number}`)
    await tokens.get()
    tokens.refuse('opaque-1')
    expect(await tokens.get()).toBe('opaque-2')
    tokens.refuse('opaque-1')
    expect([await tokens.get(), asked()]).toEqual(['opaque-2', 2])
  })

  test.each<[string, (number: number) => string | Promise<string>, problem: string]>([
    [
      'throws',
      () => {
        throw new Error('Signed out')
      },
      'Error: Signed out',
    ],
    ['rejects', () => Promise.reject(new Error('Away')), 'Error: Away'],
    ['gives nothing', () => '', 'TypeError: No token'],
    ['gives no text', () => ({}) as string, 'TypeError: No token'],
    ['hangs', () => new Promise(() => {}), 'Error: No token after 10 s'],
  ])('TokenSource tells once of a getToken that %s, and asks it again', async (_what, give, problem) => {
    const { source: tokens, clock, problems, asked } = source((number) => (number === 3 ? 'good' : give(number)))
    for (let tries = 0; tries < 2; tries++) {
      const failed = tokens.get().catch(String)
      await settle()
      await clock.advance(10_000)
      expect(await failed).toBe(problem)
    }
    expect([await tokens.get(), asked(), problems]).toEqual([
      'good',
      3,
      [`getToken failed, and is asked again: ${problem}`],
    ])
    expect(clock.pending).toBe(0)
  })

  test('TokenSource uses the present token while getToken fails, and asks again every ten seconds', async () => {
    const {
      source: tokens,
      clock,
      seconds,
      asked,
    } = source((number) => {
      if (number > 1) throw new Error('Away')
      return tokenOf({ iat: seconds, exp: seconds + 1_000 })
    })
    const token = await tokens.get()
    await clock.advance(900_000)
    for (let count = 0; count < 3; count++) expect(await tokens.get()).toBe(token)
    expect([asked(), tokens.renewInMs]).toEqual([2, 10_000])
    await clock.advance(10_000)
    expect([await tokens.get(), asked()]).toEqual([token, 3])
  })
})
