import { useRef } from 'preact/hooks'
import { countChanges } from './held-order.ts'

/** A list in the order in which it is shown. */
export interface HeldOrder<Key> {
  keys: readonly Key[]
  /** Rows that came or went while the list was held. */
  changes: number
  /** Shows them, and goes on holding. */
  refresh(): void
}

/**
 * Keeps the rows of a list where they are for as long as it is held: none moves under a pointer or away from a reader.
 *
 * @param list what is listed; another list is never held to the order of the one before
 */
export function useHeldOrder<Key>(
  list: string,
  fresh: readonly Key[],
  isHeld: boolean,
  belongs: (key: Key) => boolean,
): HeldOrder<Key> {
  const shown = useRef<{ list: string; keys: readonly Key[] }>({ list, keys: fresh })
  if (!isHeld || shown.current.list !== list) shown.current = { list, keys: fresh }
  const { keys } = shown.current
  return {
    keys,
    changes: keys === fresh ? 0 : countChanges(keys, fresh.length, belongs),
    refresh() {
      shown.current = { list, keys: fresh }
    },
  }
}
