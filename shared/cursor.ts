/** A place in a job's history: which life of the job, and how many of its events. Written `EPOCH-VERSION` everywhere. */
export interface Cursor {
  epoch: string
  version: number
}

const EPOCH = /^[a-z0-9]{1,32}$/
const CURSOR = /^([a-z0-9]{1,32})-(0|[1-9][0-9]{0,15})$/

/** Whether text can name a life of a job. */
export const isEpoch = (text: string): boolean => EPOCH.test(text)

/** `{epoch: "k3x9", version: 42}` → `"k3x9-42"`. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}-${cursor.version}`
}

/** The cursor that `text` spells, or `undefined` if it spells none. Never throws: cursors come from strangers. */
export function parseCursor(text: string | null | undefined): Cursor | undefined {
  const match = text ? CURSOR.exec(text) : null
  if (!match?.[1] || !match[2]) return undefined
  const version = Number(match[2])
  return Number.isSafeInteger(version) ? { epoch: match[1], version } : undefined
}
