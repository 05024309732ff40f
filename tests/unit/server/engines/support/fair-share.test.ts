import { describe, expect, test } from 'bun:test'
import { type Share, takeLight, takeShares } from '../../../../../server/engines/support/fair-share.ts'

interface Asked extends Share {
  name: string
}

const ask = (name: string, weight: number): Asked => ({ name, who: name.replace(/\d+$/, ''), weight })
const many = (who: string, count: number, weight: number): Asked[] =>
  Array.from({ length: count }, (_, index) => ask(`${who}${index + 1}`, weight))
const names = (requests: Asked[]) => requests.map(({ name }) => name)

/** The groups that requests come to, one after another. */
function groupsOf(requests: Asked[]): string[][] {
  const groups: string[][] = []
  for (let waiting = requests; waiting.length > 0; ) {
    const { group, rest } = takeShares(waiting)
    groups.push(names(group))
    waiting = rest
  }
  return groups
}

describe('takeShares', () => {
  test('little work is one group, as it came', () => {
    expect(groupsOf([ask('a1', 1), ask('b1', 900), ask('a2', 1)])).toEqual([['a1', 'b1', 'a2']])
  })

  test('a single request is a group, whatever it weighs', () => {
    expect(groupsOf([ask('a1', 9_999)])).toEqual([['a1']])
  })

  test('a principal that brings much is given a group at a time, and another gets into the next', () => {
    expect(groupsOf([...many('a', 3, 1_900), ask('b1', 1)])).toEqual([['a1', 'b1'], ['a2'], ['a3']])
  })

  test('the first of each principal that weighs little is in the group, full or not', () => {
    expect(groupsOf([ask('a1', 5_000), ask('b1', 1), ask('b2', 1), ask('c1', 1)])).toEqual([['a1', 'b1', 'c1'], ['b2']])
  })

  test('who got nothing is first in the next group', () => {
    expect(groupsOf([...many('a', 2, 1_500), ...many('b', 2, 1_500)])).toEqual([['a1'], ['b1'], ['a2'], ['b2']])
  })

  test('each principal keeps the order of its requests', () => {
    const mixed = Array.from({ length: 60 }, (_, index) =>
      ask(`${'abc'[index % 3]}${index + 1}`, 40 * (1 + (index % 4))),
    )
    const order = groupsOf(mixed).flat()
    expect(order).toHaveLength(60)
    for (const who of 'abc') {
      const own = (list: string[]) => list.filter((name) => name.startsWith(who))
      expect(own(order)).toEqual(own(names(mixed)))
    }
  })
})

describe('takeLight', () => {
  test('who brings nothing heavy comes first, and a principal keeps the order of its requests', () => {
    const { group, rest } = takeLight([ask('a1', 900), ask('b1', 1), ask('a2', 1), ask('c1', 100)])
    expect([names(group), names(rest)]).toEqual([
      ['b1', 'c1'],
      ['a1', 'a2'],
    ])
  })

  test('without heavy requests there is nobody to come first', () => {
    const waiting = [ask('a1', 1), ask('b1', 100)]
    expect(takeLight(waiting)).toEqual({ group: [], rest: waiting })
  })
})
