import type { Clock, Timer } from '../../shared/time/clock.ts'

/** How long the resource stays open after the last watcher left: long enough for a re-render or a moved element. */
const LINGER_MS = 1_000

/**
 * The options of signals that share a resource: opened when the first is watched, closed a moment after the last.
 */
export function whileWatched(clock: Clock, resource: { open(): void; close(): void }) {
  let watchers = 0
  let isOpen = false
  let closing: Timer | undefined
  return {
    watched() {
      watchers += 1
      clock.clearTimeout(closing)
      if (isOpen) return
      isOpen = true
      resource.open()
    },
    unwatched() {
      watchers -= 1
      if (watchers > 0) return
      closing = clock.setTimeout(() => {
        isOpen = false
        resource.close()
      }, LINGER_MS)
    },
  }
}
