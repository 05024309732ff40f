import { closeSync, openSync } from 'node:fs'

/** Interval of checks for free file descriptors: milliseconds. */
const CHECK_MS = 500
/** Length of one pause of the event loop while there are none: milliseconds. It delays open connections too. */
const PAUSE_MS = 20

/**
 * Pauses the event loop repeatedly while the process is out of file descriptors.
 *
 * Without pauses Bun (1.4.5) retries `accept` in every turn of the loop and uses a whole core. Not listening is no alternative: Bun would
 * also close idle connections.
 */
export function pauseWithoutDescriptors(): void {
  const check = () => {
    const isOut = !hasDescriptor()
    if (isOut) Bun.sleepSync(PAUSE_MS)
    setTimeout(check, isOut ? 0 : CHECK_MS).unref()
  }
  check()
}

function hasDescriptor(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EMFILE')
  }
}
