/** Two records that may be the same, by their places in their lists, and how sure that is: 0 to 1. */
export interface Pair {
  left: number
  right: number
  score: number
}

/**
 * Chooses from many possible pairs those to keep, so that no record is in two: the surest first, and of equals the one that comes
 * first in the lists.
 *
 * Greedy on purpose: a link can be explained by itself (“nothing surer was left for either”), and costs a sort, where the assignment
 * with the largest sum costs the cube of the records and gives up sure links to make weak ones.
 */
export function assignPairs(pairs: readonly Pair[]): Pair[] {
  const surest = pairs.toSorted((a, b) => b.score - a.score || a.left - b.left || a.right - b.right)
  const left = new Set<number>()
  const right = new Set<number>()
  return surest.filter((pair) => {
    if (left.has(pair.left) || right.has(pair.right)) return false
    left.add(pair.left)
    right.add(pair.right)
    return true
  })
}
