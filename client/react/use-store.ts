import { computed, effect, untracked } from '@preact/signals-core'
import { useSyncExternalStore } from 'react'

/** What React needs to draw a value that changes outside of it. */
interface Store<T> {
  subscribe(changed: () => void): () => void
  /** The same object until something in it has changed. */
  read(): T
  /** What a server renders, and a page before it has hydrated. */
  readBefore(): T
}

/** @param read gives the value, and depends on signals. Not called on a server that renders */
export function createStore<T>(read: () => T, before: T): Store<T> {
  const current = computed(read)
  return {
    subscribe: (changed) =>
      effect(() => {
        current.value
        untracked(changed)
      }),
    read: () => current.peek(),
    readBefore: () => before,
  }
}

/** The value of a store, in a component that is drawn again when it changes. */
export function useStore<T>({ subscribe, read, readBefore }: Store<T>): T {
  return useSyncExternalStore(subscribe, read, readBefore)
}
