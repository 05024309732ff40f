/** Words less alike than this say nothing about each other: `iran` and `iraq` are 0.88. */
const ALIKE = 0.89

/**
 * How alike two words are, 0 to 1, by Jaro and Winkler: shared letters that stand near each other, and a bonus for a shared
 * beginning, where people make the fewest mistakes. Symmetric.
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

/**
 * How much a word tells, by how rare it is in the lists at hand: `islands` next to nothing, `faroe` almost everything.
 *
 * @param names each as its words
 */
export function weighWords(names: Iterable<readonly string[]>): (word: string) => number {
  const counts = new Map<string, number>()
  let total = 0
  for (const words of names) {
    total += 1
    for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return (word) => Math.log(1 + total / (counts.get(word) ?? 1))
}

/**
 * How alike two names are, 0 to 1: the share of each that is found again in the other, words weighed by what they tell, in any order.
 * (Monge and Elkan's measure, both ways, with inverse document frequencies.) Symmetric; 1 for the same words.
 *
 * @param weigh as {@link weighWords} gives it: above 0
 */
export function nameSimilarity(a: readonly string[], b: readonly string[], weigh: (word: string) => number): number {
  if (a.length === 0 || b.length === 0) return 0
  return (coverage(a, b, weigh) + coverage(b, a, weigh)) / 2
}

function coverage(words: readonly string[], others: readonly string[], weigh: (word: string) => number): number {
  let covered = 0
  let whole = 0
  for (const word of words) {
    let best = 0
    for (const other of others) best = Math.max(best, jaroWinkler(word, other))
    const weight = weigh(word)
    whole += weight
    if (best >= ALIKE) covered += weight * best
  }
  return covered / whole
}
