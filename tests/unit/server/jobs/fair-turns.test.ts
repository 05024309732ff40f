import { describe, expect, test } from 'bun:test'
import { FairTurns } from '../../../../server/jobs/fair-turns.ts'

/** Time that passes by work alone, and turns of the event loop that are called. */
class Loop {
  readonly done: string[] = []
  readonly turns = new FairTurns({
    monotonic: () => this.#now,
    setTimeout: (run) => this.#timers.push(run),
  })
  #now = 0
  readonly #timers: (() => void)[] = []

  work(name: string, ms = 10): unknown {
    return this.turns.run(name.replace(/\d+$/, ''), () => this.#do(name, ms))
  }

  /** Work that completes earlier work. */
  rest(name: string, ms = 10): unknown {
    return this.turns.runRest(name.replace(/\d+$/, ''), () => this.#do(name, ms))
  }

  #do(name: string, ms: number): string {
    this.done.push(name)
    this.#now += ms
    return name
  }

  /** What is done in the next turn of the loop. */
  turn(): string[] {
    const before = this.done.length
    this.#timers.shift()?.()
    return this.done.slice(before)
  }
}

describe('FairTurns', () => {
  test('work runs synchronously while the turn has time', () => {
    const loop = new Loop()
    expect([loop.work('a1', 1), loop.work('a2', 1), loop.work('b1', 1)]).toEqual(['a1', 'a2', 'b1'])
  })

  test('work beyond the time of a turn waits for the next', async () => {
    const loop = new Loop()
    const outcomes = [loop.work('a1'), loop.work('a2'), loop.work('a3')]
    expect(loop.done).toEqual(['a1'])
    expect(loop.turn()).toEqual(['a2'])
    expect(loop.turn()).toEqual(['a3'])
    expect(loop.turn()).toEqual([])
    expect(await Promise.all(outcomes)).toEqual(['a1', 'a2', 'a3'])
  })

  test('principals take turns, however much one has queued', () => {
    const loop = new Loop()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1']) loop.work(name)
    expect([loop.turn(), loop.turn(), loop.turn(), loop.turn(), loop.turn()]).toEqual([
      ['a2'],
      ['b1'],
      ['c1'],
      ['a3'],
      ['a4'],
    ])
  })

  test('work that completes earlier work runs before what its principal has queued otherwise', () => {
    const loop = new Loop()
    for (const name of ['a1', 'a2', 'a3', 'b1']) loop.work(name)
    loop.rest('a4')
    loop.rest('a5')
    expect([loop.turn(), loop.turn(), loop.turn(), loop.turn(), loop.turn()]).toEqual([
      ['a4'],
      ['b1'],
      ['a5'],
      ['a2'],
      ['a3'],
    ])
  })

  test('work that throws fails alone', async () => {
    const loop = new Loop()
    loop.work('a1')
    const failed = loop.turns.run('a', () => {
      throw new Error('not valid')
    })
    loop.work('a2')
    const outcome = Promise.resolve(failed).catch((error: Error) => error.message)
    expect([loop.turn(), loop.turn()].flat()).toEqual(['a2'])
    expect(await outcome).toBe('not valid')
  })
})
