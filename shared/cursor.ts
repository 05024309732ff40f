/**
 * A place in a job's history: which life of the job, and how many of its events. Written `EPOCH-VERSION`, and `EPOCH.GENERATION-VERSION` when
 * that event was applied in another generation than the first. Clients send back what they were told, whatever is in it.
 */
export interface Cursor {
  epoch: string
  /** Which history of that life: see `JobHeader.generation`. */
  generation?: string | undefined
  version: number
}

const EPOCH = /^[a-z0-9]{1,32}$/
const CURSOR = /^([a-z0-9]{1,32})(?:\.([a-z0-9]{1,32}))?-(0|[1-9][0-9]{0,15})$/

/** Whether text can name a life of a job. */
export const isEpoch = (text: string): boolean => EPOCH.test(text)

/** `{epoch: "k3x9", version: 42}` → `"k3x9-42"`. */
export function formatCursor({ epoch, generation, version }: Cursor): string {
  return generation === undefined ? `${epoch}-${version}` : `${epoch}.${generation}-${version}`
}

/** The cursor that `text` spells, or `undefined` if it spells none. Never throws: cursors come from strangers. */
export function parseCursor(text: string | null | undefined): Cursor | undefined {
  const match = text ? CURSOR.exec(text) : null
  if (!match?.[1] || !match[3]) return undefined
  const [, epoch, generation] = match
  const version = Number(match[3])
  if (!Number.isSafeInteger(version)) return undefined
  return generation === undefined ? { epoch, version } : { epoch, generation, version }
}
