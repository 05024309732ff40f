import { describe, expect, test } from 'bun:test'
import type { Share } from '../../../../../server/engines/support/fair-share.ts'
import { ENOUGH, GATHER_MS, GroupCommit } from '../../../../../server/engines/support/group-commit.ts'
import { settle, VirtualClock } from '../../../../virtual-clock.ts'

/** Groups as they are committed, each until it is said to be done. */
class Commits {
  readonly clock = new VirtualClock()
  readonly sizes: number[] = []
  readonly requests = new GroupCommit<Share>(this.clock, (group) => {
    this.sizes.push(group.length)
    return new Promise((resolve) => this.#done.push(() => resolve(this.answer)))
  })
  /** What is done when a group is answered. */
  answer = () => {}
  readonly #done: (() => void)[] = []

  /** Adds requests in one turn of the event loop. */
  async add(count: number): Promise<void> {
    for (let number = 0; number < count; number++) this.requests.add({ who: `${number}`, weight: 1 })
    await this.turn()
  }

  /** Adds requests in a turn each. */
  async addOneByOne(count: number): Promise<void> {
    for (let number = 0; number < count; number++) await this.add(1)
  }

  async finish(): Promise<void> {
    this.#done.shift()?.()
    await this.turn()
  }

  async turn(): Promise<void> {
    await settle()
    await settle()
  }
}

describe('GroupCommit', () => {
  test('a request that is alone waits for nobody, each time', async () => {
    const commits = new Commits()
    for (let round = 1; round <= 3; round++) {
      await commits.add(1)
      expect(commits.sizes).toEqual(Array.from({ length: round }, () => 1))
      await commits.finish()
    }
    expect(commits.clock.pending).toBe(0)
  })

  test('after a heavy request those come first that take a moment, and then the next heavy one', async () => {
    const commits = new Commits()
    const heavy = { who: 'ada', weight: 1_500 }
    commits.requests.add(heavy)
    await commits.turn()
    for (let more = 0; more < 2; more++) commits.requests.add(heavy)
    await commits.add(2)
    for (let round = 0; round < 4; round++) {
      await commits.finish()
      await commits.clock.advance(GATHER_MS)
    }
    expect(commits.sizes).toEqual([1, 2, 1, 1])
  })

  test('who comes back as soon as it is answered is alone again', async () => {
    const commits = new Commits()
    commits.answer = () => commits.requests.add({ who: 'ada', weight: 1 })
    await commits.add(1)
    for (let round = 2; round <= 4; round++) {
      await commits.finish()
      expect(commits.sizes).toEqual(Array.from({ length: round }, () => 1))
    }
    expect(commits.clock.pending).toBe(0)
  })

  test('one group is committed at a time; what comes meanwhile is the next', async () => {
    const commits = new Commits()
    await commits.add(1)
    await commits.addOneByOne(4)
    await commits.clock.advance(GATHER_MS)
    expect(commits.sizes).toEqual([1])
    await commits.finish()
    await commits.clock.advance(GATHER_MS)
    expect(commits.sizes).toEqual([1, 4])
  })

  test('those who come back one by one are committed together, with no wait once all are there', async () => {
    const commits = new Commits()
    await commits.add(3)
    await commits.finish()
    for (let round = 1; round <= 3; round++) {
      await commits.addOneByOne(2)
      expect(commits.sizes.length).toBe(round)
      await commits.add(1)
      expect(commits.sizes).toEqual(Array.from({ length: round + 1 }, () => 3))
      await commits.finish()
    }
    expect(commits.clock.pending).toBe(0)
  })

  test('one who stays away is waited for once', async () => {
    const commits = new Commits()
    await commits.add(3)
    await commits.finish()
    await commits.add(2)
    await commits.clock.advance(GATHER_MS - 1)
    expect(commits.sizes).toEqual([3])
    await commits.clock.advance(1)
    expect(commits.sizes).toEqual([3, 2])
    await commits.finish()
    await commits.add(2)
    expect(commits.sizes).toEqual([3, 2, 2])
  })

  test('a group that is large enough waits for nobody', async () => {
    const commits = new Commits()
    await commits.add(2 * ENOUGH)
    await commits.finish()
    await commits.add(ENOUGH - 1)
    expect(commits.sizes).toEqual([2 * ENOUGH])
    await commits.add(1)
    expect(commits.sizes).toEqual([2 * ENOUGH, ENOUGH])
  })

  test('drain commits what waits, and resolves when all is committed', async () => {
    const commits = new Commits()
    await commits.add(3)
    await commits.finish()
    await commits.add(1)
    let isDrained = false
    const drained = commits.requests.drain().then(() => {
      isDrained = true
    })
    await commits.turn()
    expect(commits.sizes).toEqual([3, 1])
    await commits.add(1)
    await commits.finish()
    expect([commits.sizes, isDrained]).toEqual([[3, 1, 1], false])
    await commits.finish()
    await drained
    expect(commits.clock.pending).toBe(0)
  })
})
