/** Letters, with an apostrophe or a hyphen between them: `don't`, `well-known`. */
const WORD = /\p{L}[\p{L}\p{M}]*(?:['’-]\p{L}[\p{L}\p{M}]*)*/gu
/** Longer ones are no words, but keys, hashes or minified code. */
const LONGEST_WORD = 64
/** Addresses are not counted as words. */
const ADDRESS = /https?:\/\/\S+/g
/** Scripts that put no spaces between words. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u
/** Most characters that wait for the rest of a word. In a longer text without spaces a word may be cut. */
const LONGEST_REST = 1_000

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/** The words of a text in lower case: for each piece, those that end in it. */
export async function* splitWords(text: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rest = ''
  for await (const piece of text) {
    const joined = rest + piece
    const end = Math.max(joined.lastIndexOf(' '), joined.lastIndexOf('\n')) + 1
    const whole = joined.length - end > LONGEST_REST ? joined.length : end
    rest = joined.slice(whole)
    yield wordsOf(joined.slice(0, whole))
  }
  yield wordsOf(rest)
}

function wordsOf(text: string): string[] {
  const runs = text.toLowerCase().replace(ADDRESS, ' ').match(WORD) ?? []
  return runs
    .flatMap((run) => (UNSPACED.test(run) ? segmentsOf(run) : run))
    .filter(({ length }) => length <= LONGEST_WORD)
}

function segmentsOf(run: string): string[] {
  return Array.from(segmenter.segment(run), ({ segment }) => segment)
}
