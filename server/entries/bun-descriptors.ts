import { closeSync, openSync } from 'node:fs'

/** How often the process looks whether it is out of descriptors: milliseconds. */
const LOOK_MS = 500
/** How long the event loop rests at a time while it is: milliseconds. Those who are connected wait so much longer. */
const REST_MS = 20

/**
 * Lets the event loop rest while the process is out of descriptors.
 *
 * Bun (1.4.5) then tries to accept the next connection in each turn of the loop, without a pause, and takes a whole core for it. To stop
 * listening is no way out: Bun closes idle connections with it, and who is connected would be cut off.
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
