import { describe, expect, test } from 'bun:test'
import { type JobControl, noControl } from '../../../../../server/jobs/emitter.ts'
import { forEachAtOnce } from '../../../../../server/services/kit/pool.ts'
import { settle } from '../../../../virtual-clock.ts'

describe('forEachAtOnce', () => {
  test('forEachAtOnce does everything, so many at once and no more', async () => {
    const done: number[] = []
    let running = 0
    let most = 0
    await forEachAtOnce([1, 2, 3, 4, 5, 6, 7], 3, noControl, async (thing) => {
      running += 1
      most = Math.max(most, running)
      await settle()
      running -= 1
      done.push(thing)
    })
    expect([done.toSorted(), most]).toEqual([[1, 2, 3, 4, 5, 6, 7], 3])
  })

  test('forEachAtOnce begins nothing after a failure, waits for what has begun, and throws the first', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const all = forEachAtOnce([1, 2, 3, 4, 5], 2, noControl, async (thing) => {
      begun.push(thing)
      if (thing === 1) throw new Error('one')
      await settle()
      ended.push(thing)
      throw new Error('two')
    })
    await expect(all).rejects.toThrow('one')
    expect([begun, ended]).toEqual([[1, 2], [2]])
  })

  test('forEachAtOnce asks once whether the job is paused, however many wait', async () => {
    const resumed = Promise.withResolvers<void>()
    let asked = 0
    const control: JobControl = {
      signal: noControl.signal,
      untilResumed: () => {
        asked += 1
        return resumed.promise
      },
    }
    const done: number[] = []
    const all = forEachAtOnce([1, 2, 3], 3, control, async (thing) => {
      done.push(thing)
    })
    await settle()
    expect([asked, done]).toEqual([1, []])
    resumed.resolve()
    await all
    expect(done).toEqual([1, 2, 3])
  })

  test('forEachAtOnce begins nothing once the job is to end', async () => {
    const abort = new AbortController()
    const begun: number[] = []
    const control = { signal: abort.signal, untilResumed: async () => {} }
    const all = forEachAtOnce([1, 2, 3], 1, control, async (thing) => {
      begun.push(thing)
      abort.abort(new Error('enough'))
    })
    await expect(all).rejects.toThrow('enough')
    expect(begun).toEqual([1])
  })
})
