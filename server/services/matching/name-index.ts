import { largest } from '../kit/largest.ts'

/** Letters of a word's beginning under which its name is filed. */
const KEY_LENGTH = 3
/** Filed names that are looked at for one name: what all have in common, `the` or `inc`, tells nothing. */
const MAX_LOOKED_AT = 2_000
/** Names that are worth a comparison with one name. */
const MAX_CANDIDATES = 50

/**
 * Finds in a list the names that may be another one, without comparing it with all of them (blocking): the same name, and those that
 * share the beginnings of words with it, best those that share the most and the rarest. A name that is spelt another way at the
 * beginning of each of its words is not found.
 */
export class NameIndex {
  readonly #same = new Map<string, number[]>()
  readonly #blocks = new Map<string, number[]>()

  /** Files the name at a place, as its words. */
  add(place: number, words: readonly string[]): void {
    if (words.length === 0) return
    file(this.#same, words.join(' '), place)
    for (const key of keysOf(words)) file(this.#blocks, key, place)
  }

  /** The places of the names that a name is worth comparing with: 50 at most. */
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

  /** The blocks in which a name would stand, the smallest first. */
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
