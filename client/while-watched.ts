import type { Clock, Timer } from '../shared/clock.ts'

/** How long after the last watcher left the line is kept: a page that draws itself anew, or moves an element, leaves for no longer. */
export const LINGER_MS = 1_000

/**
 * The options of signals that share a resource: it is opened when one of them is first watched, and closed a moment after none is.
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
