import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { assignPairs } from '../../../../server/services/assignment.ts'
import { NameIndex } from '../../../../server/services/name-index.ts'
import { findNameColumn } from '../../../../server/services/name-list.ts'
import { normaliseName } from '../../../../server/services/normalise-name.ts'
import { jaroWinkler, nameSimilarity, weighWords } from '../../../../server/services/similarity.ts'

describe('normaliseName', () => {
  test('normaliseName makes spellings of a name one', () => {
    const spellings: [string, string][] = [
      ['St. Barthélemy', 'saint barthelemy'],
      ['SAINT  BARTHELEMY', 'saint barthelemy'],
      ['Côte d’Ivoire', 'cote divoire'],
      ["Cote d'Ivoire", 'cote divoire'],
      ['Virgin Islands, U.S.', 'virgin islands us'],
      ['U.S.A. Inc.', 'usa inc'],
      ['St.Gallen', 'saint gallen'],
      ['Bosnia & Herzegovina', 'bosnia and herzegovina'],
      ['Åland – Øresund', 'aland oresund'],
      ['Straße İzmir Łódź Þór', 'strasse izmir lodz thor'],
      ['ＡＢＣ １２', 'abc 12'],
      ['대한민국', '대한민국'],
      ['भारत', 'भारत'],
      ['Constructor', 'constructor'],
      ['…', ''],
      ['', ''],
    ]
    expect(spellings.map(([name]) => normaliseName(name))).toEqual(spellings.map(([, normal]) => normal))
  })

  test('normaliseName changes nothing that is normal already', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const once = normaliseName(name)
        expect(normaliseName(once)).toBe(once)
      }),
      { numRuns: 500 },
    )
  })
})

describe('jaroWinkler', () => {
  test('jaroWinkler gives the values that the literature does', () => {
    const pairs: [string, string, number][] = [
      ['martha', 'marhta', 0.9611],
      ['dixon', 'dicksonx', 0.8133],
      ['dwayne', 'duane', 0.84],
      ['iran', 'iraq', 0.8833],
      ['same', 'same', 1],
      ['abc', 'xyz', 0],
      ['', 'a', 0],
    ]
    expect(pairs.map(([a, b]) => Number(jaroWinkler(a, b).toFixed(4)))).toEqual(pairs.map(([, , score]) => score))
  })

  test('jaroWinkler is symmetric, between 0 and 1, and 1 for a word and itself', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 8 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        const score = jaroWinkler(a, b)
        expect(jaroWinkler(b, a)).toBe(score)
        expect(score >= 0 && score <= 1 && jaroWinkler(a, a) === 1).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('nameSimilarity', () => {
  test('nameSimilarity is symmetric, between 0 and 1, and 1 for the same words in any order', () => {
    const words = fc.array(fc.constantFrom('saint', 'sainte', 'islands', 'island', 'us', 'faroe', 'the'), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(words, words, (a, b) => {
        const weigh = weighWords([a, b, ['the', 'islands']])
        const score = nameSimilarity(a, b, weigh)
        expect(nameSimilarity(b, a, weigh)).toBe(score)
        expect(score >= 0 && score <= 1).toBe(true)
        expect(nameSimilarity(a, a.toReversed(), weigh)).toBeCloseTo(1, 12)
      }),
      { numRuns: 1_000 },
    )
  })

  test('nameSimilarity goes by the words that tell something', () => {
    const lists = [
      ['faroe', 'islands'],
      ['cook', 'islands'],
      ['solomon', 'islands'],
      ['marshall', 'islands'],
      ['faroe'],
    ]
    const weigh = weighWords(lists)
    expect(nameSimilarity(['faroe', 'islands'], ['faroe'], weigh)).toBeGreaterThan(0.75)
    expect(nameSimilarity(['faroe', 'islands'], ['cook', 'islands'], weigh)).toBeLessThan(0.45)
    expect(nameSimilarity([], ['cook'], weigh)).toBe(0)
  })
})

describe('assignPairs', () => {
  test('assignPairs keeps the surest pairs, and of equals the first', () => {
    const pairs = [
      { left: 0, right: 0, score: 0.7 },
      { left: 0, right: 1, score: 0.9 },
      { left: 1, right: 1, score: 0.8 },
      { left: 2, right: 2, score: 0.5 },
      { left: 1, right: 2, score: 0.5 },
    ]
    expect(assignPairs(pairs)).toEqual([
      { left: 0, right: 1, score: 0.9 },
      { left: 1, right: 2, score: 0.5 },
    ])
  })

  test('assignPairs puts no record in two pairs, and leaves none out that could be in one', () => {
    const pair = fc.record({ left: fc.nat(9), right: fc.nat(9), score: fc.double({ min: 0, max: 1, noNaN: true }) })
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const kept = assignPairs(pairs)
        const lefts = new Set(kept.map(({ left }) => left))
        const rights = new Set(kept.map(({ right }) => right))
        expect([lefts.size, rights.size]).toEqual([kept.length, kept.length])
        for (const { left, right } of pairs) expect(lefts.has(left) || rights.has(right)).toBe(true)
      }),
    )
  })
})

describe('NameIndex', () => {
  test('NameIndex finds the same name and those that share the beginning of a word, and no others', () => {
    const index = new NameIndex([
      ['saint', 'lucia'],
      ['santa', 'lucia'],
      ['lucerne'],
      ['peru'],
      ['saint', 'helena'],
      [],
    ])
    expect([...index.candidates(['lucija'])]).toEqual([0, 1, 2])
    expect([...index.candidates(['saint', 'helena'])].toSorted()).toEqual([0, 4])
    expect([...index.candidates(['zambia'])]).toEqual([])
    expect([...index.candidates([])]).toEqual([])
  })

  test('NameIndex finds the rare among the many, and hands out no more than 50', () => {
    const many = Array.from({ length: 10_000 }, (_, place) => ['the', `company ${place}`])
    const index = new NameIndex([...many, ['the', 'xylophone']])
    const found = index.candidates(['the', 'xylophon'])
    expect([found.size, found.has(10_000)]).toEqual([50, true])
  })
})

describe('findNameColumn', () => {
  test('findNameColumn takes the column called name, else the first that speaks of one, else the only one', () => {
    expect(findNameColumn(['Full name', 'NAME', 'x'])).toBe(1)
    expect(findNameColumn(['id', 'Country name', 'Other name'])).toBe(1)
    expect(findNameColumn(['id', 'country_name', 'companyName'])).toBe(1)
    expect(findNameColumn(['land'])).toBe(0)
  })

  test('findNameColumn throws with the columns that there are', () => {
    expect(() => findNameColumn(['id', 'Land'])).toThrow('No column is called “name”. There are: id, Land')
  })
})
