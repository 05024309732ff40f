import { describe, expect, test } from 'bun:test'
import { randomId, systemClock, systemRandom } from '../../../../shared/time/clock.ts'

describe('randomId', () => {
  test('randomId writes five bits of each byte as one of 32 characters', () => {
    const random = { number: () => 0, bytes: (length: number) => Uint8Array.from({ length }, (_, at) => at) }
    expect(randomId(random, 34)).toBe('0123456789abcdefghijklmnopqrstuv01')
    expect(randomId({ ...random, bytes: () => Uint8Array.of(31, 32, 63, 255) }, 4)).toBe('v0vv')
    expect(randomId(random, 0)).toBe('')
  })

  test('randomId with the runtime’s own randomness is as long as asked, and fit for epochs and cursors', () => {
    const ids = Array.from({ length: 1_000 }, () => randomId(systemRandom, 20))
    expect(ids.every((id) => /^[0-9a-v]{20}$/.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(1_000)
    expect(new Set(ids.join('')).size).toBe(32)
  })
})

describe('systemClock', () => {
  test('systemClock runs a timer, and not one that was cleared', async () => {
    let cleared = true
    const timer = systemClock.setTimeout(() => {
      cleared = false
    }, 0)
    systemClock.clearTimeout(timer)
    await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 0))
    expect(cleared).toBe(true)
  })

  test('systemClock tells the time in milliseconds since the epoch', () => {
    expect(systemClock.now()).toBeGreaterThan(Date.parse('2026-01-01'))
  })
})

describe('systemRandom', () => {
  test('systemRandom gives numbers in [0, 1) and as many bytes as asked', () => {
    const drawn = Array.from({ length: 100 }, () => systemRandom.number())
    expect(drawn.every((number) => number >= 0 && number < 1)).toBe(true)
    expect(systemRandom.bytes(16)).toHaveLength(16)
  })
})
