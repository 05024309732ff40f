/** Characters of a name that are looked at. Nobody's name is longer; a whole page in the name column is a mistake of the list. */
const NAME_LENGTH = 200

/** Words of a name that are compared. */
const MAX_WORDS = 16

/** Letters that Unicode does not take apart, as people without them on the keyboard write them. */
const LETTERS: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ł: 'l',
  ħ: 'h',
  ı: 'i',
}

/** Short forms that stand for one word. Others, `co` or `dr`, stand for several and are left alone. */
const SHORT_FORMS: Record<string, string> = { st: 'saint', ste: 'sainte' }

/**
 * A name as words that can be compared: lower case, without accents and punctuation, `&` as a word, initials joined, a few short
 * forms written out. The order of the words is kept. A name without a letter or digit is `''`.
 *
 * @example
 * ```ts
 * normaliseName('St. Barthélemy') // 'saint barthelemy'
 * normaliseName('Virgin Islands, U.S.') // 'virgin islands us'
 * normaliseName('Bosnia & Herzegovina') // 'bosnia and herzegovina'
 * ```
 */
export function normaliseName(name: string): string {
  return (
    name
      .slice(0, NAME_LENGTH)
      .normalize('NFKD')
      // Only the accents of Latin, Greek and Cyrillic: in the scripts of India, marks are vowels.
      .replace(/[\u0300-\u036f]/gu, '')
      .normalize('NFKC')
      .toLowerCase()
      .replace(/['’‘ʼ]/gu, '')
      // Between two single letters a full stop joins initials: `U.S.` is `us`, `St.Gallen` is two words.
      .replace(/(?<=(?<!\p{L})\p{L})\.(?=\p{L}(?!\p{L}))/gu, '')
      .replaceAll('&', ' and ')
      .replace(/[ßæœøđðþłħı]/gu, (letter) => LETTERS[letter] ?? letter)
      .split(/[^\p{L}\p{N}\p{M}]+/u)
      .filter((word) => word !== '')
      .map((word) => (Object.hasOwn(SHORT_FORMS, word) ? (SHORT_FORMS[word] ?? word) : word))
      .join(' ')
  )
}

/**
 * A name as words to compare: the first of them, for comparing two names costs the product of their lengths, and one character of a name can
 * become eighteen.
 */
export function nameWords(name: string): string[] {
  return normaliseName(name).slice(0, NAME_LENGTH).split(' ', MAX_WORDS).filter(Boolean)
}
