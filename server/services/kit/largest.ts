/** The `count` largest of many by a measure, largest first; of equals the first one. Memory is bounded by `count`. */
export function largest<T>(things: Iterable<T>, count: number, measure: (thing: T) => number): T[] {
  const best: { thing: T; size: number }[] = []
  for (const thing of things) {
    const size = measure(thing)
    if (best.length === count && size <= (best.at(-1)?.size ?? Number.POSITIVE_INFINITY)) continue
    const place = best.findLastIndex((other) => other.size >= size) + 1
    best.splice(place, 0, { thing, size })
    if (best.length > count) best.pop()
  }
  return best.map(({ thing }) => thing)
}
