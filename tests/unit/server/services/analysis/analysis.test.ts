import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { setJobEvents } from '../../../../../server/jobs/emitter.ts'
import { analyseTexts, type CorpusFile } from '../../../../../server/services/analysis/analysis.ts'
import { splitWords } from '../../../../../server/services/analysis/split-words.ts'
import { MAX_WORDS, WordTally } from '../../../../../server/services/analysis/word-tally.ts'
import { largest } from '../../../../../server/services/kit/largest.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'
import { finish, Recorder, streamOf } from '../recorder.ts'

const jobId = 'job'
const encode = (text: string) => new TextEncoder().encode(text)
const file = (name: string, bytes: Uint8Array, chunk = 7): CorpusFile => ({
  name,
  size: bytes.byteLength,
  stream: () => streamOf(bytes, chunk),
})

let recorder: Recorder
let clock: VirtualClock
beforeEach(() => {
  recorder = new Recorder()
  clock = new VirtualClock()
})
afterEach(() => setJobEvents(undefined))

describe('analyseTexts', () => {
  test('analyseTexts counts words, and tells each file from the others', async () => {
    const files = [
      file('moby.txt', encode('The whale, the WHALE! Don’t\nchase the well-known whale.')),
      file('empty.txt', encode('')),
      file('alice.txt', encode('The rabbit and the queen; the rabbit.')),
    ]
    const total = files.reduce((sum, { size }) => sum + size, 0)
    expect(await analyseTexts(files, { jobId, clock })).toEqual({
      files: 3,
      failed: 0,
      bytes: total,
      words: 16,
      distinct: 8,
      approximate: false,
      top: [
        { word: 'the', count: 6 },
        { word: 'whale', count: 3 },
        { word: 'rabbit', count: 2 },
        { word: 'don’t', count: 1 },
        { word: 'chase', count: 1 },
        { word: 'well-known', count: 1 },
        { word: 'and', count: 1 },
        { word: 'queen', count: 1 },
      ],
      longest: ['well-known', 'rabbit', 'whale', 'don’t', 'chase', 'queen', 'the', 'and'],
      table: [
        { name: 'moby.txt', bytes: 57, words: 9, distinct: 5, typical: 'whale' },
        { name: 'alice.txt', bytes: 37, words: 7, distinct: 4, typical: 'rabbit' },
        { name: 'empty.txt', bytes: 0, words: 0, distinct: 0, typical: undefined },
      ],
    })
    const { items, progress, logs } = recorder.document()
    expect(items.map(({ id, status, message }) => [id, status, message])).toEqual([
      ['moby.txt', 'succeeded', '9 words, 5 different'],
      ['empty.txt', 'succeeded', '0 words, 0 different'],
      ['alice.txt', 'succeeded', '7 words, 4 different'],
    ])
    expect(progress).toEqual({ done: total, total, unit: 'bytes' })
    expect(logs.map(({ message }) => message)).toEqual([`3 files, ${total}\u00a0bytes`, '16 words, 8 different words'])
    expect(recorder.document().steps.map(({ id, status, done, total }) => ({ id, status, done, total }))).toEqual([
      { id: 'read', status: 'succeeded', done: total, total },
      { id: 'tokenise', status: 'succeeded', done: 16, total: undefined },
      { id: 'count', status: 'succeeded', done: 8, total: undefined },
      { id: 'rank', status: 'succeeded', done: undefined, total: undefined },
      { id: 'report', status: 'succeeded', done: undefined, total: undefined },
    ])
  })

  test('analyseTexts fails a file that is no text, counts nothing of it, and goes on', async () => {
    const broken = new Uint8Array([...encode('zebra zebra zebra '), 0xff])
    const files = [file('a.txt', encode('one two')), file('broken.bin', broken), file('b.txt', encode('two three'))]
    const result = await analyseTexts(files, { jobId, clock })
    expect(result).toMatchObject({ files: 3, failed: 1, words: 4, distinct: 3, bytes: 35 })
    expect(result.table.map(({ name }) => name)).toEqual(['b.txt', 'a.txt'])
    expect(recorder.item('broken.bin')).toMatchObject({
      status: 'failed',
      error: 'It is not text in UTF-8. Save it as UTF-8 and try again.',
    })
    expect(recorder.document()).toMatchObject({ errorCount: 1, progress: { done: 35, total: 35 } })
  })

  test('analyseTexts rejects a corpus without a text in it', async () => {
    const analysis = analyseTexts([file('x', Uint8Array.of(0xff))], { jobId, clock })
    await expect(analysis).rejects.toThrow('None of the files is text that can be read.')
    expect(recorder.steps()).toMatchObject({ read: 'failed', tokenise: 'failed', count: 'failed', rank: 'pending' })
  })

  test('analyseTexts gives a result that fits in a document, of a corpus of any number of files', async () => {
    const name = (place: number) => `${'ü'.repeat(250)}${place}`
    const files = Array.from({ length: 300 }, (_, place) =>
      file(name(place), encode(`${'щ'.repeat(60)} b${place}`), 400),
    )
    const result = await analyseTexts(files, { jobId, clock })
    expect(result.table).toHaveLength(50)
    expect(encode(JSON.stringify(result)).byteLength).toBeLessThan(64 * 1024)
    expect(recorder.document().items).toHaveLength(300)
  })

  test('analyseTexts stops within a file when the job is cancelled', async () => {
    const long = file('long.txt', encode('word '.repeat(1_000)), 100)
    const run = recorder.emitter.run(jobId, (control) => {
      let passed = 0
      const untilResumed = async () => {
        passed += 1
        // Twice as the files are announced.
        if (passed === 2 + 10) recorder.ask(true, false)
        await control.untilResumed()
      }
      return analyseTexts([long, long], { jobId, clock, control: { signal: control.signal, untilResumed } })
    })
    await finish(run, clock)
    expect(recorder.document()).toMatchObject({ status: 'cancelled', progress: { done: 1_000, total: 10_000 } })
    expect(recorder.statuses()).toEqual({ 'long.txt': 'pending' })
    expect(recorder.steps()).toMatchObject({ read: 'running', rank: 'pending' })
  })

  test('analyseTexts works the same when nothing is wired', async () => {
    setJobEvents(undefined)
    expect(await analyseTexts([file('a', encode('one'))], { jobId })).toMatchObject({ words: 1 })
    expect(recorder.events).toEqual([])
  })
})

describe('splitWords', () => {
  const split = async (text: string, length: number) => {
    async function* pieces() {
      for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length)
    }
    return (await Array.fromAsync(splitWords(pieces()))).flat()
  }

  test('splitWords finds the same words wherever the text is cut', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'É', 'ठी', '-', "'", ' ', '\n', '1', '.'), maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 12 }), async (text, length) => {
        expect(await split(text, length)).toEqual(await split(text, 1_000))
      }),
      { numRuns: 300 },
    )
  })

  test('splitWords tells words apart that have no spaces between them, and leaves out addresses', async () => {
    expect(await split('私はソースを読む。See https://example.com/a-page now', 1_000)).toEqual([
      '私',
      'は',
      'ソース',
      'を',
      '読む',
      'see',
      'now',
    ])
  })

  test('splitWords leaves out what is too long for a word, and holds no more than a little of what never ends', async () => {
    expect(await split(`${'a'.repeat(64)} ${'b'.repeat(65)} c`, 10)).toEqual(['a'.repeat(64), 'c'])
    expect(await split('x,'.repeat(5_000), 100)).toHaveLength(5_000)
  })
})

describe('WordTally', () => {
  test('WordTally forgets the rarest words where there are too many, and says so', async () => {
    const tally = new WordTally(async () => {})
    await tally.add(['often', 'often', 'often'])
    await tally.endFile()
    expect(tally.approximate).toBe(false)
    await tally.add(Array.from({ length: MAX_WORDS }, (_, place) => `w${place}`))
    await tally.endFile()
    expect([tally.approximate, tally.words, tally.distinct]).toEqual([true, MAX_WORDS + 3, 1])
    expect(tally.top(2)).toEqual([{ word: 'often', count: 3 }])
  })

  test('WordTally lets others run while it goes through many words', async () => {
    let passed = 0
    const tally = new WordTally(async () => {
      passed += 1
    })
    await tally.add(Array.from({ length: 50_000 }, (_, place) => `w${place}`))
    await tally.endFile()
    expect(passed).toBe(Math.floor(50_000 / 4_096))
  })
})

describe('largest', () => {
  test('largest is the beginning of what sorting gives', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ size: fc.nat(5), id: fc.nat() })), fc.nat(6), (things, count) => {
        const sorted = things.toSorted((a, b) => b.size - a.size).slice(0, count)
        expect(largest(things, count, ({ size }) => size)).toEqual(sorted)
      }),
    )
  })
})
