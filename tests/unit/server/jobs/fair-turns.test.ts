import { describe, expect, test } from 'bun:test'
import { FairTurns } from '../../../../server/jobs/fair-turns.ts'
import { settle } from '../../../virtual-clock.ts'

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
    return this.turns.run(name.replace(/\d+$/, ''), () => this.spend(name, ms))
  }

  /** Work that completes earlier work. */
  rest(name: string, ms = 10): unknown {
    return this.turns.runRest(name.replace(/\d+$/, ''), () => this.spend(name, ms))
  }

  /** Does work that takes so long. */
  spend(name: string, ms: number): string {
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

  test('runSteps runs as many steps in a turn as it has time for, and lets others in between', async () => {
    const loop = new Loop()
    function* steps() {
      for (let step = 1; step <= 6; step++) {
        loop.spend(`a${step}`, 2)
        yield
      }
      return 'all'
    }
    const all = loop.turns.runSteps('a', steps())
    await settle()
    expect(loop.done).toEqual(['a1', 'a2'])
    loop.work('b1', 1)
    loop.turn()
    await settle()
    expect(loop.done).toEqual(['a1', 'a2', 'a3', 'b1', 'a4'])
    loop.turn()
    await settle()
    expect(loop.done.slice(5)).toEqual(['a5', 'a6'])
    loop.turn()
    expect(await all).toBe('all')
  })
})

/** Heavy requests that a test ends, and which of them have begun. */
function heavyRequests() {
  const { turns } = new Loop()
  const begun: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const start = (name: string, bytes: number) =>
    turns.runHeavy(name.replace(/\d+$/, ''), bytes, () => {
      begun.push(name)
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error ? reject(error) : resolve(name)))
      })
    })
  const end = async (name: string, error?: Error) => {
    ends.get(name)?.(error)
    await settle()
  }
  return { begun, end, start }
}

describe('FairTurns.runHeavy', () => {
  test('a principal has a mebibyte in progress, and the rest waits in order of arrival', async () => {
    const { begun, end, start } = heavyRequests()
    const all = [start('a1', 500_000), start('a2', 500_000), start('a3', 500_000), start('a4', 1_000)]
    await settle()
    expect(begun).toEqual(['a1', 'a2'])
    all.push(start('b1', 1_000_000))
    await settle()
    expect(begun).toEqual(['a1', 'a2', 'b1'])
    await end('a2')
    expect(begun.slice(3)).toEqual(['a3', 'a4'])
    for (const name of ['a1', 'a3', 'a4', 'b1']) await end(name)
    expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1'])
  })

  test('a request that is larger than that runs alone', async () => {
    const { begun, end, start } = heavyRequests()
    const all = [start('a1', 5_000_000), start('a2', 1), start('a3', 5_000_000)]
    await settle()
    expect(begun).toEqual(['a1'])
    await end('a1')
    expect(begun).toEqual(['a1', 'a2'])
    await end('a2')
    await end('a3')
    expect((await Promise.all(all)).length).toBe(3)
  })

  test('a request that fails makes room for the next', async () => {
    const { begun, end, start } = heavyRequests()
    const failed = start('a1', 1_000_000).catch((error: Error) => error.message)
    const next = start('a2', 1_000_000)
    await settle()
    await end('a1', new Error('not valid'))
    expect([await failed, begun]).toEqual(['not valid', ['a1', 'a2']])
    await end('a2')
    expect(await next).toBe('a2')
  })
})
