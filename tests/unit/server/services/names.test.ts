import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { sortInTurns } from '../../../../server/services/kit/sort-in-turns.ts'
import { assignPairs } from '../../../../server/services/matching/assignment.ts'
import { NameIndex } from '../../../../server/services/matching/name-index.ts'
import { findNameColumn } from '../../../../server/services/matching/name-list.ts'
import { nameWords, normaliseName } from '../../../../server/services/matching/normalise-name.ts'
import { jaroWinkler, nameSimilarity, WordWeights } from '../../../../server/services/matching/similarity.ts'
import { SeededRandom } from '../../../seeded-random.ts'

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

function weightsOf(names: readonly (readonly string[])[]): WordWeights {
  const weights = new WordWeights()
  for (const words of names) weights.add(words)
  return weights
}

describe('nameWords', () => {
  test('nameWords gives a name so many words and characters as can be compared, whatever it becomes', () => {
    expect(nameWords('Virgin Islands, U.S.')).toEqual(['virgin', 'islands', 'us'])
    expect(nameWords('…')).toEqual([])
    expect(nameWords('a b '.repeat(50))).toHaveLength(16)
    // One character that stands for four words.
    const words = nameWords('\ufdfa'.repeat(200))
    expect(words.length).toBeLessThanOrEqual(16)
    expect(words.join(' ').length).toBeLessThanOrEqual(200)
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
        const weigh = weightsOf([a, b, ['the', 'islands']])
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
    const weigh = weightsOf(lists)
    expect(nameSimilarity(['faroe', 'islands'], ['faroe'], weigh)).toBeGreaterThan(0.75)
    expect(nameSimilarity(['faroe', 'islands'], ['cook', 'islands'], weigh)).toBeLessThan(0.45)
    expect(nameSimilarity([], ['cook'], weigh)).toBe(0)
  })
})

const pass = async () => {}

describe('sortInTurns', () => {
  test('sortInTurns sorts as the array itself does, equal things in their order, and lets others run in between', async () => {
    const random = new SeededRandom(1)
    const things = Array.from({ length: 50_000 }, (_, place) => ({ key: Math.floor(random.number() * 100), place }))
    const compare = (a: { key: number }, b: { key: number }) => a.key - b.key
    let passed = 0
    const sorted = await sortInTurns(things, compare, async () => {
      passed += 1
    })
    expect(sorted).toEqual(things.toSorted(compare))
    // 13 runs, and four rounds of merging.
    expect(passed).toBeWithin(13 + 3 * 12, 13 + 4 * 13)
    for (const few of [[], [1], [2, 1]]) expect(await sortInTurns(few, (a, b) => a - b, pass)).toEqual(few.toSorted())
  })
})

describe('assignPairs', () => {
  test('assignPairs keeps the surest pairs, and of equals the first', async () => {
    const pairs = [
      { left: 0, right: 0, score: 0.7 },
      { left: 0, right: 1, score: 0.9 },
      { left: 1, right: 1, score: 0.8 },
      { left: 2, right: 2, score: 0.5 },
      { left: 1, right: 2, score: 0.5 },
    ]
    expect(await assignPairs(pairs, pass)).toEqual([
      { left: 0, right: 1, score: 0.9 },
      { left: 1, right: 2, score: 0.5 },
    ])
  })

  test('assignPairs puts no record in two pairs, and leaves none out that could be in one', async () => {
    const pair = fc.record({ left: fc.nat(9), right: fc.nat(9), score: fc.double({ min: 0, max: 1, noNaN: true }) })
    await fc.assert(
      fc.asyncProperty(fc.array(pair), async (pairs) => {
        const kept = await assignPairs(pairs, pass)
        const lefts = new Set(kept.map(({ left }) => left))
        const rights = new Set(kept.map(({ right }) => right))
        expect([lefts.size, rights.size]).toEqual([kept.length, kept.length])
        for (const { left, right } of pairs) expect(lefts.has(left) || rights.has(right)).toBe(true)
      }),
    )
  })
})

function indexOf(names: readonly (readonly string[])[]): NameIndex {
  const index = new NameIndex()
  for (const [place, words] of names.entries()) index.add(place, words)
  return index
}

describe('NameIndex', () => {
  test('NameIndex finds the same name and those that share the beginning of a word, and no others', () => {
    const index = indexOf([['saint', 'lucia'], ['santa', 'lucia'], ['lucerne'], ['peru'], ['saint', 'helena'], []])
    expect([...index.candidates(['lucija'])]).toEqual([0, 1, 2])
    expect([...index.candidates(['saint', 'helena'])].toSorted()).toEqual([0, 4])
    expect([...index.candidates(['zambia'])]).toEqual([])
    expect([...index.candidates([])]).toEqual([])
  })

  test('NameIndex finds the rare among the many, and hands out no more than 50', () => {
    const many = Array.from({ length: 10_000 }, (_, place) => ['the', `company ${place}`])
    const index = indexOf([...many, ['the', 'xylophone']])
    const found = index.candidates(['the', 'xylophon'])
    expect([found.size, found.has(10_000)]).toEqual([50, true])
    // Those that are the same are among them.
    const same = indexOf([...Array.from({ length: 40 }, () => ['the', 'same']), ...many])
    const candidates = [...same.candidates(['the', 'same'])]
    expect([candidates.length, candidates.slice(0, 40)]).toEqual([50, Array.from({ length: 40 }, (_, place) => place)])
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
    expect(() => findNameColumn(['id', 'Land'])).toThrow('There is no column “name”. Columns: id, Land')
  })
})
