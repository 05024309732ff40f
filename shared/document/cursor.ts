/**
 * A place in a job's history: an epoch and a version. Written `EPOCH-VERSION`, or `EPOCH.GENERATION-VERSION` when that event was applied in
 * a later generation than the first. Opaque to clients, who send it back as it is.
 */
export interface Cursor {
  epoch: string
  /** See `JobHeader.generation`. */
  generation?: string | undefined
  version: number
}

const EPOCH = /^[a-z0-9]{1,32}$/
const CURSOR = /^([a-z0-9]{1,32})(?:\.([a-z0-9]{1,32}))?-(0|[1-9][0-9]{0,15})$/

/** Whether text has the form of an epoch. */
export const isEpoch = (text: string): boolean => EPOCH.test(text)

/** `{epoch: "k3x9", version: 42}` → `"k3x9-42"`. */
export function formatCursor({ epoch, generation, version }: Cursor): string {
  return generation === undefined ? `${epoch}-${version}` : `${epoch}.${generation}-${version}`
}

/** Parses a cursor; `undefined` for malformed text. Never throws: cursors are untrusted input. */
export function parseCursor(text: string | null | undefined): Cursor | undefined {
  const match = text ? CURSOR.exec(text) : null
  if (!match?.[1] || !match[3]) return undefined
  const [, epoch, generation] = match
  const version = Number(match[3])
  if (!Number.isSafeInteger(version)) return undefined
  return generation === undefined ? { epoch, version } : { epoch, generation, version }
}
