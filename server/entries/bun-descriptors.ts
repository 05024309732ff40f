import { closeSync, openSync } from 'node:fs'

/** Interval of checks for free file descriptors: milliseconds. */
const LOOK_MS = 500
/** Length of one pause of the event loop while there are none: milliseconds. It delays open connections too. */
const REST_MS = 20

/**
 * Pauses the event loop repeatedly while the process is out of file descriptors.
 *
 * Without pauses Bun (1.4.5) retries `accept` in every turn of the loop and uses a whole core. Not listening is no alternative: Bun would
 * also close idle connections.
 */
export function restWithoutDescriptors(): void {
  const look = () => {
    const isOut = !hasDescriptor()
    if (isOut) Bun.sleepSync(REST_MS)
    setTimeout(look, isOut ? 0 : LOOK_MS).unref()
  }
  look()
}

function hasDescriptor(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EMFILE')
  }
}
