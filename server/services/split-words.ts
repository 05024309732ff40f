/** Letters, with an apostrophe or a hyphen between them: `don't`, `well-known`. What has no spaces between words is one long one. */
const WORD = /\p{L}[\p{L}\p{M}]*(?:['’-]\p{L}[\p{L}\p{M}]*)*/gu
/** What is longer is no word: a key, a hash, a line of a bundle. */
const LONGEST_WORD = 64
/** Characters that wait for the rest of their word; where none ends for so long, one may be cut in two. */
const LONGEST_REST = 1_000

/** The words of a text, in lower case: for each piece those that ended with it. */
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
  return (text.toLowerCase().match(WORD) ?? []).filter((word) => word.length <= LONGEST_WORD)
}
