import { describe, expect, test } from 'bun:test'
import { createServerClock } from '../../../../client/connection/server-clock.ts'
import { VirtualClock } from '../../../virtual-clock.ts'

describe('createServerClock', () => {
  test('createServerClock is the own clock until the server says what time it is', () => {
    const clock = new VirtualClock()
    const server = createServerClock(clock)
    expect(server.now()).toBe(clock.now())
    server.set('2026-01-01T00:05:00.000Z')
    expect(server.now()).toBe(Date.parse('2026-01-01T00:05:00.000Z'))
    server.set('soon')
    expect(server.now()).toBe(Date.parse('2026-01-01T00:05:00.000Z'))
  })

  test.each([7_200_000, -7_200_000])(
    'createServerClock goes on when the own clock is set, by %p milliseconds',
    async (step) => {
      const clock = new VirtualClock()
      const server = createServerClock(clock)
      server.set('2026-01-01T00:05:00.000Z')
      await clock.advance(1_000)
      clock.step(step)
      await clock.advance(1_000)
      expect(server.now()).toBe(Date.parse('2026-01-01T00:05:02.000Z'))
      // Nor does what comes then take it for a difference to the server.
      server.setRoughly('Thu, 01 Jan 2026 00:05:01 GMT')
      expect(server.now()).toBe(Date.parse('2026-01-01T00:05:02.000Z'))
    },
  )
})
