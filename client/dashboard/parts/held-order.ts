/**
 * How many rows came or went since a list was held in its order, as it is while somebody reads it or points at it.
 *
 * @param held the keys of the rows that are shown
 * @param present how many rows there would be now
 * @param belongs whether a row that is shown still has its place in the list
 */
export function countChanges<Key>(held: readonly Key[], present: number, belongs: (key: Key) => boolean): number {
  let kept = 0
  for (const key of held) if (belongs(key)) kept += 1
  return held.length - kept + present - kept
}
