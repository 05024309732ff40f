/** Words that are less similar count as different: `iran` and `iraq` are 0.88. */
const ALIKE = 0.89

/**
 * Jaro–Winkler similarity of two words, 0 to 1: shared letters at similar places, and a bonus for a common prefix, where people make
 * the fewest mistakes. Symmetric.
 */
export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  const reach = Math.max(0, Math.floor(long.length / 2) - 1)
  const taken = new Uint8Array(long.length)
  const found = new Uint8Array(short.length)
  let shared = 0
  for (let i = 0; i < short.length; i++) {
    const end = Math.min(long.length, i + reach + 1)
    for (let j = Math.max(0, i - reach); j < end; j++) {
      if (taken[j] || short[i] !== long[j]) continue
      taken[j] = 1
      found[i] = 1
      shared += 1
      break
    }
  }
  if (shared === 0) return 0
  let outOfPlace = 0
  for (let i = 0, j = 0; i < short.length; i++) {
    if (!found[i]) continue
    while (!taken[j]) j += 1
    if (short[i] !== long[j]) outOfPlace += 1
    j += 1
  }
  const jaro = (shared / short.length + shared / long.length + (shared - outOfPlace / 2) / shared) / 3
  let prefix = 0
  while (prefix < 4 && prefix < short.length && a[prefix] === b[prefix]) prefix += 1
  return jaro + prefix * 0.1 * (1 - jaro)
}

/** Weights of words by their rarity in these lists (inverse document frequency): `islands` is low, `faroe` high. */
export class WordWeights {
  readonly #counts = new Map<string, number>()
  #total = 0

  /** Counts the words of another name. */
  add(words: readonly string[]): void {
    this.#total += 1
    for (const word of new Set(words)) this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1)
  }

  /** Above 0. */
  of(word: string): number {
    return Math.log(1 + this.#total / (this.#counts.get(word) ?? 1))
  }
}

/**
 * Similarity of two names, 0 to 1: the Monge–Elkan measure in both directions, with words weighted by inverse document frequency. The
 * order of words does not matter. Symmetric; 1 for the same words.
 */
export function nameSimilarity(a: readonly string[], b: readonly string[], weights: WordWeights): number {
  if (a.length === 0 || b.length === 0) return 0
  // Both directions at once: comparing two words is most of the work, and symmetric.
  const bestOfA = new Float64Array(a.length)
  const bestOfB = new Float64Array(b.length)
  for (const [i, word] of a.entries()) {
    for (const [j, other] of b.entries()) {
      const score = jaroWinkler(word, other)
      if (score > (bestOfA[i] ?? 0)) bestOfA[i] = score
      if (score > (bestOfB[j] ?? 0)) bestOfB[j] = score
    }
  }
  return (coverage(a, bestOfA, weights) + coverage(b, bestOfB, weights)) / 2
}

function coverage(words: readonly string[], best: Float64Array, weights: WordWeights): number {
  let covered = 0
  let whole = 0
  for (const [place, word] of words.entries()) {
    const weight = weights.of(word)
    const score = best[place] ?? 0
    whole += weight
    if (score >= ALIKE) covered += weight * score
  }
  return covered / whole
}
