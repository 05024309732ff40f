/** Elements that are sorted or merged between two checkpoints. */
export const TURN = 4_096

/** Sorts in steps, with a checkpoint between any two: sorts runs, then merges pairs of them. Stable. */
export async function sortInTurns<T>(
  things: readonly T[],
  compare: (a: T, b: T) => number,
  checkpoint: () => Promise<void>,
): Promise<T[]> {
  let runs: T[][] = []
  for (let at = 0; at < things.length; at += TURN) {
    runs.push(things.slice(at, at + TURN).sort(compare))
    await checkpoint()
  }
  while (runs.length > 1) {
    const merged: T[][] = []
    for (let at = 0; at < runs.length; at += 2)
      merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], compare, checkpoint))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge<T>(
  a: T[],
  b: T[],
  compare: (a: T, b: T) => number,
  checkpoint: () => Promise<void>,
): Promise<T[]> {
  const merged: T[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const [first, second] = [a[i] as T, b[j] as T]
    if (compare(first, second) <= 0) {
      merged.push(first)
      i += 1
    } else {
      merged.push(second)
      j += 1
    }
    if (merged.length % TURN === 0) await checkpoint()
  }
  return merged.concat(a.slice(i), b.slice(j))
}
