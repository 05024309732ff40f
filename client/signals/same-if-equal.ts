import { computed, type ReadonlySignal } from '@preact/signals-core'

/** A list that stays the same array while it has the same elements. */
export function sameIfEqual<T>(list: () => readonly T[]): ReadonlySignal<readonly T[]> {
  let kept: readonly T[] = []
  return computed(() => {
    const next = list()
    if (next.length !== kept.length || next.some((one, index) => one !== kept[index])) kept = next
    return kept
  })
}
