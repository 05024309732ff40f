import type { Limits } from '../../shared/limits.ts'
import { draftOf, Group } from './sqlite-group.ts'
import type { Draft, SqliteStore } from './sqlite-store.ts'

/** How much is logged before it is saved: characters, and jobs. A start after a crash does as much again. */
export const LOG_SIZE = 1024 * 1024
export const LOG_JOBS = 1_000
/** How long it is logged at most: milliseconds. */
export const SAVE_MS = 1_000

/** Jobs of which it was logged what was applied to them, and which are not saved yet. */
export interface Unsaved {
  drafts: Map<string, Draft>
  /** Of the log: characters. */
  size: number
}

/** What the log says, after a start or a failure. */
export function recover(store: SqliteStore, limits: Limits): Unsaved {
  const stored = (id: string) => {
    const entry = store.find(id)
    return entry && draftOf(entry, entry.job)
  }
  const group = new Group(store, stored, limits)
  for (const redo of store.logged()) group.redo(redo)
  const { drafts } = group
  // As large as it may be, for nobody knows: the next commit saves it.
  return { drafts, size: drafts.size > 0 ? LOG_SIZE : 0 }
}
