import { expect, test } from 'bun:test'
import { CommitGroups } from '../../../../../../server/engines/redis/connection/commit-groups.ts'

/** Groups whose calls are answered by the test. */
function withCalls() {
  const calls: { args: string[]; reply: (replies: unknown[]) => void; fail: (error: Error) => void }[] = []
  const groups = new CommitGroups(({ args }) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>()
    calls.push({ args, reply: resolve, fail: reject })
    return promise as Promise<number[]>
  })
  const add = (partition: number, name: string) =>
    groups.add<unknown>(partition, { keys: [`key-${name}`], args: [name] }).catch(String)
  return { calls, add }
}

/** The arguments of commits with one key and one argument each. */
const argsOf = (...names: string[]) => names.flatMap((name) => ['1', '1', name])

test('CommitGroups sends the first commit at once, and those that come before its reply together', async () => {
  const { calls, add } = withCalls()
  const added = ['a', 'b', 'c'].map((name) => add(0, name))
  expect(calls.map(({ args }) => args)).toEqual([argsOf('a')])
  calls[0]?.reply([0])
  expect(await added[0]).toBe(0)
  await Promise.resolve()
  expect(calls.map(({ args }) => args)).toEqual([argsOf('a'), argsOf('b', 'c')])
  calls[1]?.reply([2, [0, 'stamp']])
  expect(await Promise.all(added)).toEqual([0, 2, [0, 'stamp']])
})

test('CommitGroups makes no partition wait for another, and no full group for a reply', async () => {
  const { calls, add } = withCalls()
  for (let n = 0; n < 65; n++) void add(0, `${n}`)
  void add(1, 'other')
  expect(calls.map(({ args }) => args.length / 3)).toEqual([1, 64, 1])
})

test('CommitGroups refuses the one commit that Redis refused, and all of a group whose call failed', async () => {
  const { calls, add } = withCalls()
  const added = ['a', 'b', 'c'].map((name) => add(0, name))
  calls[0]?.fail(new Error('away'))
  expect(await added[0]).toBe('Error: away')
  await Promise.resolve()
  calls[1]?.reply([[3, 'WRONGTYPE other'], 1])
  expect(await Promise.all(added)).toEqual(['Error: away', 'Error: WRONGTYPE other', 1])
})
