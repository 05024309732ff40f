import { largest } from '../kit/largest.ts'

/** Length of the prefixes by which names are indexed. */
const KEY_LENGTH = 3
/** Most indexed names that are looked at for one name: common words such as `the` and `inc` have too many. */
const MAX_LOOKED_AT = 2_000
/** Most candidates for one name. */
const MAX_CANDIDATES = 50

/**
 * Finds candidates for a name without comparing it with all names (blocking): the same name, and names that share prefixes of words,
 * those with the most and the rarest first. A name that differs at the beginning of every word is not found.
 */
export class NameIndex {
  readonly #same = new Map<string, number[]>()
  readonly #blocks = new Map<string, number[]>()

  /** Adds the name at a place, as its words. */
  add(place: number, words: readonly string[]): void {
    if (words.length === 0) return
    file(this.#same, words.join(' '), place)
    for (const key of keysOf(words)) file(this.#blocks, key, place)
  }

  /** The places of the candidates for a name: at most 50. */
  candidates(words: readonly string[]): Set<number> {
    const shared = new Map<number, number>()
    let room = MAX_LOOKED_AT
    for (const block of this.#blocksOf(words)) {
      for (const place of block.slice(0, room)) shared.set(place, (shared.get(place) ?? 0) + 1 / block.length)
      room -= Math.min(room, block.length)
    }
    const same = (this.#same.get(words.join(' ')) ?? []).slice(0, MAX_CANDIDATES)
    const found = new Set(same)
    for (const [place] of largest(shared, MAX_CANDIDATES, ([, share]) => share)) {
      if (found.size === MAX_CANDIDATES) break
      found.add(place)
    }
    return found
  }

  /** The blocks of a name, the smallest first. */
  #blocksOf(words: readonly string[]): number[][] {
    return [...keysOf(words)]
      .map((key) => this.#blocks.get(key) ?? [])
      .filter((block) => block.length > 0)
      .sort((a, b) => a.length - b.length)
  }
}

function keysOf(words: readonly string[]): Set<string> {
  return new Set(words.map((word) => word.slice(0, KEY_LENGTH)))
}

function file(drawers: Map<string, number[]>, key: string, place: number): void {
  const drawer = drawers.get(key)
  if (drawer) drawer.push(place)
  else drawers.set(key, [place])
}
