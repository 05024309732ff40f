import { describe, expect, test } from 'bun:test'
import { originalText, PartitionKeys, safeText } from '../../../../../server/engines/redis/keys.ts'
import { aroundPlace, encodeChange, isAfter, isBy } from '../../../../../server/engines/redis/message.ts'
import { newHeader } from '../../../../arbitraries.ts'

const texts = ['', '=', 'a', '"a"', '\ud800', '\ud801', '\ufffd', '"\\ud800"', 'a:b', '{x}']

describe('PartitionKeys', () => {
  test('safeText keeps all texts apart in UTF-8, and originalText gives them back', () => {
    const encoder = new TextEncoder()
    expect(new Set(texts.map((text) => encoder.encode(safeText(text)).join())).size).toBe(texts.length)
    expect(texts.map((text) => originalText(safeText(text)))).toEqual(texts)
  })

  test('list keeps owners and values apart, however they are cut', () => {
    const keys = new PartitionKeys('t', 0)
    const names = texts.flatMap((owner) => texts.map((kind) => keys.list(owner, 'kind', safeText(kind))))
    expect(new Set([...names, ...texts.map((kind) => keys.list(undefined, 'kind', safeText(kind)))]).size).toBe(
      texts.length ** 2 + texts.length,
    )
  })

  test('all keys have the hash tag of their partition, whatever is in them', () => {
    const keys = new PartitionKeys('t', 0)
    const owned = [keys.ownerChannel('{x}'), keys.creator('}{x}'), keys.job('j'), keys.due('end'), keys.probe('p')]
    for (const key of [...owned, ...keys.lists(newHeader({ owner: '{y}', kind: '{z}', parentId: 'p' }))])
      expect(/\{(.*?)\}/.exec(key)?.[1]).toBe('t')
  })
})

describe('messages', () => {
  const header = newHeader({ id: 'job', epoch: 'e1' })
  const about = { by: 'node-1', history: 'h1', order: [0, 1] as [number, number] }

  test('encodeChange tells small changes whole, and of large ones the versions', () => {
    const change = { id: 'job', epoch: 'e1', from: 0, to: 1, header, tokenSeries: 2 }
    expect(JSON.parse(encodeChange({ ...about, change }))).toEqual({ ...about, change })
    const large = { ...header, generation: 'g2', result: 'x'.repeat(10_000) }
    expect(JSON.parse(encodeChange({ ...about, change: { ...change, header: large } }))).toEqual({
      ...about,
      generation: 'g2',
      change: { id: 'job', epoch: 'e1', from: 0, to: 1, tokenSeries: 2 },
    })
  })

  test('aroundPlace leaves a gap for the place', () => {
    const change = { id: 'job', epoch: 'e1', from: 0, to: 1, header: { ...header, title: '"order":[7,' } }
    const message = encodeChange({ ...about, change })
    const [start, end] = aroundPlace(message)
    expect(JSON.parse(`${start}1764400000000000${end}`)).toEqual({
      ...about,
      order: [1_764_400_000_000_000, 1],
      change,
    })
  })

  test('isBy recognizes the messages of a node', () => {
    const message = encodeChange({ ...about, change: { id: 'job', epoch: 'e1', from: 0, to: 1 } })
    expect([isBy(message, 'node-1'), isBy(message, 'node-2'), isBy('', 'node-1')]).toEqual([true, false, false])
  })

  test('isAfter orders by life, then by commit', () => {
    expect(isAfter([1, 2], [1, 1])).toBe(true)
    expect(isAfter([2, 1], [1, 9])).toBe(true)
    expect([isAfter([1, 1], [1, 1]), isAfter([1, 1], [1, 2]), isAfter([1, 9], [2, 1])]).toEqual([false, false, false])
  })
})
