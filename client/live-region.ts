import { systemClock } from '../shared/clock.ts'

/** How far apart two announcements are at least: milliseconds. */
const QUIET_MS = 10_000

let region: HTMLElement | undefined
let users = 0
let lastSaid = 0

/**
 * Gives the page its one polite live region, unless somebody on it has asked for it already.
 *
 * @returns lets go of it; the last to do so takes it away
 */
export function useLiveRegion(): () => void {
  users += 1
  if (!region) {
    region = document.createElement('div')
    region.role = 'status'
    // Out of sight, yet not `hidden`: what is hidden is not read.
    region.style.cssText =
      'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap'
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
 * Says a text to those who hear the page.
 *
 * @returns `false` when it was not said: it is not urgent, and something was said less than ten seconds ago
 */
export function say(text: string, urgent: boolean): boolean {
  const now = systemClock.now()
  if (!urgent && now - lastSaid < QUIET_MS) return false
  lastSaid = now
  if (region) region.textContent = text
  return true
}
