import type { SqlValue } from './database.ts'

/**
 * A transaction for another thread to make.
 *
 * Its statements are one string: posting an array of their values to a thread costs the event loop eight times as much.
 */
export interface Plan {
  /** Empty when there is nothing to write. See {@link statementsOf}. */
  statements: string
  /** On a full disk it may have the room that is kept for removals. */
  frees: boolean
}

/** Why nothing is written while the files are not what they were. */
export const MOVED =
  'A file of the database was moved, deleted, replaced or cut short while the server had it open. Put it back, or start the server again.'

/** What became of a plan: nothing when it was committed, and synced. */
export interface CommitResult {
  /** {@link MOVED}, or what SQLite says. */
  failed?: string
  /** The disk has no room: nothing was written. */
  isFull?: true
}

/** Separates the parts of a string of statements. No value has it: SQLite takes it for the end of a text. */
const END = '\0'

/** Collects the statements of a transaction. */
export class PlanBuilder {
  /** For each statement its SQL, the types of its values, a letter each, and the values. */
  #parts: SqlValue[] = []

  /** @throws TypeError for a text with a NUL, which SQLite can't keep */
  write(sql: string, ...values: SqlValue[]): void {
    let types = ''
    for (const value of values) types += typeOf(value)
    this.#parts.push(sql, types, ...values)
  }

  /** What was written since it was taken before. */
  take(): string {
    const statements = this.#parts.join(END)
    this.#parts = []
    return statements
  }
}

/** The statements of a plan, in the order in which they were written. */
export function* statementsOf(statements: string): Iterable<{ sql: string; values: SqlValue[] }> {
  if (statements === '') return
  const parts = statements.split(END)
  for (let at = 0; at < parts.length; ) {
    const [sql = '', types = ''] = [parts[at], parts[at + 1]]
    const first = at + 2
    at = first + types.length
    yield { sql, values: parts.slice(first, at).map((part, index) => decode(part, types[index])) }
  }
}

function typeOf(value: SqlValue): 't' | 'n' | '0' {
  if (typeof value !== 'string') return value === null ? '0' : 'n'
  if (value.includes(END)) throw new TypeError('A text to be written to SQLite has a NUL in it')
  return 't'
}

function decode(part: string, type: string | undefined): SqlValue {
  if (type === 't') return part
  return type === 'n' ? Number(part) : null
}
