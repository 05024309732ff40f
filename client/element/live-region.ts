import { systemClock } from '../../shared/time/clock.ts'

/** The least time between two announcements: milliseconds. */
const QUIET_MS = 10_000

let region: HTMLElement | undefined
let users = 0
let lastSaid = 0

/**
 * Adds the page's one polite live region, unless it is there.
 *
 * @returns a function that releases it; the last release removes it
 */
export function useLiveRegion(): () => void {
  users += 1
  if (!region) {
    region = document.createElement('div')
    region.role = 'status'
    // Visually hidden, not `hidden`, which screen readers skip.
    region.style.cssText =
      'position:absolute;width:1px;height:1px;clip-path:inset(50%);overflow:hidden;white-space:nowrap'
    document.body.append(region)
  }
  return () => {
    users -= 1
    if (users > 0) return
    region?.remove()
    region = undefined
  }
}

/**
 * Announces a text to screen readers.
 *
 * @returns `false` when it was not announced: not urgent, and within ten seconds of the last
 */
export function say(text: string, urgent: boolean): boolean {
  const now = systemClock.now()
  if (!urgent && now - lastSaid < QUIET_MS) return false
  lastSaid = now
  if (region) region.textContent = text
  return true
}
