import { useRef, useState } from 'preact/hooks'

/** A list in the order in which it is shown. */
interface HeldOrder<Key> {
  keys: readonly Key[]
  /** Rows added or removed while the order was held. */
  changes: number
  /** Shows them, and keeps holding. */
  refresh(): void
}

/**
 * Holds the order of a list while it is hovered or focused, so that no row moves under the pointer.
 *
 * @param list what is listed; another list is never held to the order of the one before
 * @param present how many rows there would be now
 * @param take returns the rows that there would be now; while the list is not held, the drawn ones suffice
 * @param belongs whether a row that is shown still has its place in the list
 */
export function useHeldOrder<Key>(
  list: string,
  present: number,
  isHeld: boolean,
  take: () => readonly Key[],
  belongs: (key: Key) => boolean,
): HeldOrder<Key> {
  const shown = useRef<{ list: string; keys: readonly Key[] }>(undefined)
  const [, redraw] = useState({})
  if (!isHeld) shown.current = undefined
  else if (shown.current?.list !== list) shown.current = { list, keys: take() }
  const held = shown.current
  return {
    keys: held ? held.keys : take(),
    changes: held ? countChanges(held.keys, present, belongs) : 0,
    refresh() {
      shown.current = undefined
      redraw({})
    },
  }
}

/**
 * How many rows were added or removed since the order of a list was held.
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
