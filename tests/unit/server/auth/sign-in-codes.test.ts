import { describe, expect, test } from 'bun:test'
import type { Principal } from '../../../../server/auth/access.ts'
import { SignInCodes } from '../../../../server/auth/sign-in-codes.ts'
import { MemoryEngine } from '../../../../server/engines/memory.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

const TEN_MINUTES = 600_000
const principal: Principal = { sub: 'ada', scopes: ['jobs:read'] }

function create({ engine = new MemoryEngine(), isSessionOpen = async (_: string) => true } = {}) {
  const clock = new VirtualClock()
  return { clock, codes: new SignInCodes({ engine, clock, random: new SeededRandom(1), isSessionOpen }) }
}

describe('SignInCodes', () => {
  test('create returns a code that signs in once', async () => {
    const { codes } = create()
    let used = 0
    const code = codes.create(principal, () => used++)
    expect(code).toMatch(/^[0-9a-v]{26}$/)
    expect(await codes.redeem('')).toBeUndefined()
    expect(await codes.redeem(`${code}x`)).toBeUndefined()
    expect(used).toBe(0)
    expect(await codes.redeem(code)).toEqual({ principal })
    expect(await codes.redeem(code)).toBeUndefined()
    expect(used).toBe(1)
  })

  test('create forgets unused codes that expired', async () => {
    const { codes, clock } = create()
    const make = () => {
      const somebody: Principal = { ...principal }
      codes.create(somebody)
      return new WeakRef(somebody)
    }
    const made = Array.from({ length: 1_000 }, make)
    await clock.advance(TEN_MINUTES)
    codes.create(principal)
    await settle()
    Bun.gc(true)
    // What the stack still names may be kept a while.
    expect(made.filter((somebody) => somebody.deref() !== undefined).length).toBeLessThan(100)
  })

  test('createShared returns a code that signs in once, even if two clients use it concurrently', async () => {
    const { codes, clock } = create()
    const { code, until } = await codes.createShared({ principal, job: 'import-7' })
    expect(code).toMatch(/^[0-9a-v]{26}$/)
    expect(until).toBe(clock.now() + TEN_MINUTES)
    const both = await Promise.all([codes.redeem(code), codes.redeem(code)])
    expect(both).toEqual([{ principal, job: 'import-7' }, undefined])
  })

  test('redeem accepts a code for exactly ten minutes', async () => {
    const { codes, clock } = create()
    let used = 0
    const own = [codes.create(principal), codes.create(principal, () => used++)]
    const shared = [await codes.createShared({ principal }), await codes.createShared({ principal })]
    await clock.advance(TEN_MINUTES - 1)
    expect(await codes.redeem(own[0] ?? '')).toEqual({ principal })
    expect(await codes.redeem(shared[0]?.code ?? '')).toEqual({ principal })
    await clock.advance(1)
    expect(await codes.redeem(own[1] ?? '')).toBeUndefined()
    expect(await codes.redeem(shared[1]?.code ?? '')).toBeUndefined()
    expect(used).toBe(0)
  })

  test('createShared stores a digest of the code, and not the code', async () => {
    const engine = new MemoryEngine()
    const { codes } = create({ engine })
    const { code } = await codes.createShared({ principal })
    const [note, ...others] = await engine.notes.list({ prefix: 'sign-in/', limit: 10 })
    expect(others).toEqual([])
    expect(note?.key).toMatch(/^sign-in\/[0-9a-f]{64}$/)
    expect(JSON.stringify(note)).not.toContain(code)
  })

  test("createShared returns a code that expires no later than its maker's credentials", async () => {
    const { codes, clock } = create()
    const expiresAt = clock.now() + 1_000
    const { code, until } = await codes.createShared({ principal: { ...principal, expiresAt } })
    expect(until).toBe(expiresAt)
    await clock.advance(1_000)
    expect(await codes.redeem(code)).toBeUndefined()
  })

  test('redeem takes no code of a session that has ended', async () => {
    const open = new Set(['one', 'two'])
    const { codes } = create({ isSessionOpen: async (id) => open.has(id) })
    const [first, second] = await Promise.all(
      ['one', 'two'].map((session) => codes.createShared({ principal: { ...principal, session } })),
    )
    open.delete('one')
    expect(await codes.redeem(first?.code ?? '')).toBeUndefined()
    expect(await codes.redeem(second?.code ?? '')).toEqual({ principal: { ...principal, session: 'two' } })
  })
})
