import { describe, expect, test } from 'bun:test'
import { pacedBody } from '../../../../../server/http/body/paced-body.ts'
import { settle, VirtualClock } from '../../../../virtual-clock.ts'

/** A body that a test sends bit by bit, and what its reader has come to. */
function create() {
  const clock = new VirtualClock()
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>()
  const writer = writable.getWriter()
  writer.closed.catch(() => {})
  const read = async () => {
    let bytes = 0
    for await (const chunk of pacedBody(readable, clock)) bytes += chunk.length
    return bytes
  }
  let outcome: unknown
  read().then(
    (bytes) => {
      outcome = bytes
    },
    (error) => {
      outcome = error.problem?.status ?? error
    },
  )
  return {
    clock,
    end: () => writer.close(),
    fail: () => writer.abort(new Error('gone')),
    outcome: async () => {
      await settle()
      return outcome
    },
    /** Sends some bytes each second. */
    send: async (bytes: number, seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        void writer.write(new Uint8Array(bytes)).catch(() => {})
        await settle()
        await clock.advance(1_000)
      }
    },
  }
}

describe('pacedBody', () => {
  test('refuses a body that stands still for ten seconds, at its start or after megabytes', async () => {
    for (const bytes of [0, 4_000_000]) {
      const body = create()
      if (bytes > 0) await body.send(bytes, 1)
      await body.clock.advance(bytes > 0 ? 8_999 : 9_999)
      expect(await body.outcome()).toBeUndefined()
      await body.clock.advance(1)
      expect([await body.outcome(), body.clock.pending]).toEqual([408, 0])
    }
  })

  test('refuses a body that has come at less than 16 KiB a second after ten seconds', async () => {
    const slow = create()
    await slow.send(1, 9)
    expect(await slow.outcome()).toBeUndefined()
    await slow.send(1, 1)
    expect(await slow.outcome()).toBe(408)
    const slower = create()
    await slower.send(17_000, 20)
    expect(await slower.outcome()).toBeUndefined()
    await slower.send(8_192, 2)
    expect(await slower.outcome()).toBe(408)
  })

  test('takes a body that keeps the pace for as long as it likes, and its pauses of less than ten seconds', async () => {
    const body = create()
    await body.send(17_000, 100)
    await body.send(160_000, 1)
    await body.clock.advance(8_000)
    await body.send(10, 1)
    void body.end()
    expect([await body.outcome(), body.clock.pending]).toEqual([1_860_010, 0])
  })

  test('counts no time in which the server has not asked for more', async () => {
    const clock = new VirtualClock()
    const chunks = pacedBody(new Blob([new Uint8Array(10)]).stream(), clock)
    expect((await chunks.next()).value?.length).toBe(10)
    await clock.advance(60_000)
    expect((await chunks.next()).done).toBe(true)
  })

  test('refuses a body that is cut off, as incomplete', async () => {
    const body = create()
    await body.send(10, 1)
    await body.fail()
    expect(await body.outcome()).toBe(400)
  })
})
