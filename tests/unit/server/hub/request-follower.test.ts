import { describe, expect, test } from 'bun:test'
import {
  FOLLOWED_JOBS,
  RequestFollower,
  type Requests,
  subscribeQuietly,
} from '../../../../server/hub/request-follower.ts'
import type { Change, Documents } from '../../../../server/jobs/engine.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { newHeader } from '../../../arbitraries.ts'
import { settle } from '../../../virtual-clock.ts'

const nothing: Requests = { version: 1, cancelRequested: false, pauseRequested: false }

/** A follower of a job that a test changes. */
function create({ mayWatch = true } = {}) {
  let header: JobHeader | undefined = { ...newHeader(), version: 1, status: 'running' }
  const wakes = new Map<string, { wake(change: Change): void; onLost(): void }>()
  const pushed: [string, Requests][] = []
  let reads = 0
  const follower = new RequestFollower({
    watch: async (job, wake, onLost) => {
      if (!mayWatch) return undefined
      wakes.set(job, { wake, onLost })
      return () => wakes.delete(job)
    },
    read: async () => {
      reads += 1
      if (!header) throw new Error('gone')
      return header
    },
    push: (job, requests) => pushed.push([job, requests]),
  })
  const change = async (fields: Partial<JobHeader> | undefined, wakeUp: Partial<Change> = {}) => {
    const from = header?.version ?? 0
    header = fields && header && { ...header, version: from + 1, ...fields }
    const to = header?.version ?? from
    wakes.get('a')?.wake({ id: 'a', epoch: 'e1', from, to, ...(header ? { header } : {}), ...wakeUp })
    await settle()
  }
  return { follower, wakes, pushed, change, reads: () => reads }
}

describe('RequestFollower', () => {
  test('RequestFollower pushes a request once, and reads the job only then', async () => {
    const { follower, pushed, change, reads } = create()
    follower.follow('a', nothing)
    await settle()
    expect(reads()).toBe(1)
    await change({})
    await change({ pauseRequested: true })
    await change({})
    expect([pushed, reads()]).toEqual([[['a', { ...nothing, version: 3, pauseRequested: true }]], 2])
    await change({ pauseRequested: false })
    expect(pushed.at(-1)).toEqual(['a', { ...nothing, version: 5 }])
  })

  test('RequestFollower pushes what was asked before it had subscribed', async () => {
    const { follower, pushed, change } = create()
    await change({ cancelRequested: true })
    follower.follow('a', nothing)
    await settle()
    expect(pushed).toEqual([['a', { version: 2, cancelRequested: true, pauseRequested: false }]])
  })

  test('RequestFollower pushes nothing that a receipt has told, and takes no older receipt for newer', async () => {
    const { follower, pushed, change, reads } = create()
    follower.follow('a', nothing)
    await settle()
    follower.follow('a', { version: 2, cancelRequested: true, pauseRequested: false })
    await change({ cancelRequested: true })
    expect([pushed, reads()]).toEqual([[], 1])
    follower.follow('a', nothing)
    await change({})
    expect(pushed).toEqual([])
  })

  test('RequestFollower reads a job of whose change it hears no header', async () => {
    const { follower, pushed, change } = create()
    follower.follow('a', nothing)
    await settle()
    await change({ cancelRequested: true }, { header: undefined as never })
    expect(pushed).toHaveLength(1)
  })

  test.each([
    ['has ended', { status: 'completed' } as const, {}],
    ['was removed', {}, { removed: true } as const],
    ['may not be read any more', undefined, {}],
  ])('RequestFollower unsubscribes from a job that %s', async (_, fields, wakeUp) => {
    const { follower, wakes, pushed, change } = create()
    follower.follow('a', nothing)
    await settle()
    await change(fields, wakeUp)
    expect([wakes.size, pushed]).toEqual([0, []])
  })

  test('RequestFollower follows a job anew when its subscription was lost and it is reported on again', async () => {
    const { follower, wakes, pushed, change } = create()
    follower.follow('a', nothing)
    await settle()
    wakes.get('a')?.onLost()
    await change({ cancelRequested: true })
    expect(pushed).toEqual([])
    follower.follow('a', nothing)
    await settle()
    expect(pushed).toHaveLength(1)
  })

  test('RequestFollower unsubscribes when it is closed, from what it is about to subscribe to as well', async () => {
    const { follower, wakes } = create()
    follower.follow('a', nothing)
    await settle()
    follower.follow('b', nothing)
    follower.close()
    await settle()
    follower.follow('c', nothing)
    await settle()
    expect(wakes.size).toBe(0)
  })

  test('RequestFollower follows so many jobs, and no more', async () => {
    const { follower, wakes } = create()
    for (let n = 0; n < FOLLOWED_JOBS + 5; n++) follower.follow(`${n}`, nothing)
    await settle()
    expect(wakes.size).toBe(FOLLOWED_JOBS)
  })

  test('RequestFollower asks once for a subscription that it may not have', async () => {
    const { follower, pushed, change } = create({ mayWatch: false })
    for (let n = 0; n < 3; n++) follower.follow('a', nothing)
    await change({ cancelRequested: true })
    expect(pushed.length).toBeLessThanOrEqual(1)
  })
})

describe('subscribeQuietly', () => {
  test('subscribeQuietly has no more subscriptions at once than it may, nor counts one that failed', async () => {
    const watched: unknown[] = []
    let isAway = true
    const documents = {
      watch: async (target: unknown) => {
        if (isAway) throw new Error('away')
        watched.push(target)
        return () => {}
      },
    } as unknown as Documents
    const watch = subscribeQuietly(documents, 1)
    const ask = (job: string) =>
      watch(
        job,
        () => {},
        () => {},
      )
    expect(await ask('a').catch(String)).toBe('Error: away')
    isAway = false
    const unwatch = await ask('b')
    expect(await ask('c')).toBeUndefined()
    unwatch?.()
    expect(await ask('d')).toBeDefined()
    expect(watched).toEqual([
      { job: 'b', quietly: true },
      { job: 'd', quietly: true },
    ])
  })
})
