import { sortInTurns, TURN } from '../kit/sort-in-turns.ts'

/** Two records that may be the same, by their places in their lists, with a confidence from 0 to 1. */
export interface Pair {
  left: number
  right: number
  score: number
}

/**
 * Chooses pairs so that no record is in two: those with the highest confidence first, of equals the first in the lists.
 *
 * Greedy on purpose: each link can be explained by itself, and the cost is a sort. The optimal assignment costs the cube of the number
 * of records, and gives up sure links for weak ones.
 */
export async function assignPairs(pairs: readonly Pair[], checkpoint: () => Promise<void>): Promise<Pair[]> {
  const surest = await sortInTurns(pairs, surestFirst, checkpoint)
  const left = new Set<number>()
  const right = new Set<number>()
  const kept: Pair[] = []
  for (const [place, pair] of surest.entries()) {
    if (place % TURN === 0) await checkpoint()
    if (left.has(pair.left) || right.has(pair.right)) continue
    left.add(pair.left)
    right.add(pair.right)
    kept.push(pair)
  }
  return kept
}

const surestFirst = (a: Pair, b: Pair) => b.score - a.score || a.left - b.left || a.right - b.right
