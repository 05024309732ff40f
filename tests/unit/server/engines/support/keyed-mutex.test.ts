import { describe, expect, test } from 'bun:test'
import { KeyedMutex } from '../../../../../server/engines/support/keyed-mutex.ts'
import { settle } from '../../../../virtual-clock.ts'

/** Work that ends when a test says so, and says when it begins. */
function stagedWork(names: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const work = () => {
    names.push(name)
    return promise
  }
  return { work, end: () => resolve(name), fail: () => reject(new Error(name)) }
}

describe('KeyedMutex', () => {
  test('KeyedMutex runs what has one key in turn, and what has another at the same time', async () => {
    const mutex = new KeyedMutex()
    const begun: string[] = []
    const [a, b, c] = ['a', 'b', 'c'].map((name) => stagedWork(begun, name)) as [
      ReturnType<typeof stagedWork>,
      ReturnType<typeof stagedWork>,
      ReturnType<typeof stagedWork>,
    ]
    const answers = [mutex.run('1', a.work), mutex.run('1', b.work), mutex.run('2', c.work)]
    await settle()
    expect(begun).toEqual(['a', 'c'])
    c.end()
    await settle()
    expect(begun).toEqual(['a', 'c'])
    a.end()
    await settle()
    expect(begun).toEqual(['a', 'c', 'b'])
    b.end()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'])
  })

  test('KeyedMutex goes on after work that failed, and tells only its own caller', async () => {
    const mutex = new KeyedMutex()
    const begun: string[] = []
    const [a, b] = [stagedWork(begun, 'a'), stagedWork(begun, 'b')]
    const failing = mutex.run('1', a.work)
    const next = mutex.run('1', b.work)
    a.fail()
    b.end()
    await expect(failing).rejects.toThrow('a')
    expect(await next).toBe('b')
  })

  test('KeyedMutex.end resolves once the work that is there has ended, however it did', async () => {
    const mutex = new KeyedMutex()
    const begun: string[] = []
    const [a, b] = [stagedWork(begun, 'a'), stagedWork(begun, 'b')]
    mutex.run('1', a.work).catch(() => {})
    void mutex.run('2', b.work)
    let ended = false
    const end = mutex.end().then(() => {
      ended = true
    })
    a.fail()
    await settle()
    expect(ended).toBe(false)
    b.end()
    await end
    await new KeyedMutex().end()
  })
})
