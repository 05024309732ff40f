import { describe, expect, test } from 'bun:test'
import type { PlacedNews } from '../../../../server/hub/told-news.ts'
import { MOST_TOLD, ToldNews } from '../../../../server/hub/told-news.ts'
import { newHeader } from '../../../arbitraries.ts'

const news = (id: string, place: number): PlacedNews => ({
  id,
  epoch: 'e1',
  place,
  header: newHeader({ id }),
  from: 0,
  bulkTouched: true,
})
const ids = (told: ToldNews, place = 0) => [...told.after(place)].map(({ id }) => id)

describe('ToldNews', () => {
  test('ToldNews has each job once, at its newest place, and forgets what all have', () => {
    const told = new ToldNews()
    for (const [place, id] of ['a', 'b', 'a', 'c'].entries()) told.add(news(id, place + 1))
    expect([ids(told), ids(told, 3)]).toEqual([['b', 'a', 'c'], ['c']])
    told.forget(3)
    expect(ids(told)).toEqual(['c'])
  })

  test('ToldNews keeps the order, the places and the removals when it lets go of headers', () => {
    const told = new ToldNews()
    told.add({ id: 'gone', epoch: 'e1', place: 1, removed: 'deleted' })
    for (let place = 2; place <= 50; place++) told.add(news(`${place}`, place))
    expect(told.shed()).toBe(0)
    const kept = [...told.after(0)]
    expect(kept.map(({ place }) => place)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(kept[0]).toEqual({ id: 'gone', epoch: 'e1', place: 1, removed: 'deleted' })
    expect(kept[1]).toEqual({ id: '2', epoch: 'e1', place: 2 })
    expect(kept.filter((entry) => 'header' in entry).map(({ place }) => place)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 19),
    )
  })

  test('ToldNews says up to which place it forgot what was too much', () => {
    const told = new ToldNews()
    const header = newHeader()
    for (let place = 1; place <= MOST_TOLD + 2; place++) told.add({ ...news('x', place), header, id: `${place}` })
    expect(told.shed()).toBe(2)
    expect([...told.after(0)]).toHaveLength(MOST_TOLD)
    expect(told.shed()).toBe(0)
  })
})
