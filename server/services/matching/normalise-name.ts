/** Most characters of a name that are compared. A longer one is a mistake in the list. */
const NAME_LENGTH = 200

/** Most words of a name that are compared. */
const MAX_WORDS = 16

/** Letters that Unicode does not decompose, with their usual transcriptions. */
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

/** Abbreviations of exactly one word. Ambiguous ones, such as `co` and `dr`, are kept. */
const SHORT_FORMS: Record<string, string> = { st: 'saint', ste: 'sainte' }

/**
 * Normalises a name for comparison: lower case, no accents or punctuation, `&` as a word, initials joined, some abbreviations
 * expanded. Keeps the order of words. A name without letters and digits becomes `''`.
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
 * The first words of a normalised name. Bounded, because comparing two names costs the product of their lengths, and one character can
 * become eighteen.
 */
export function nameWords(name: string): string[] {
  return normaliseName(name).slice(0, NAME_LENGTH).split(' ', MAX_WORDS).filter(Boolean)
}
