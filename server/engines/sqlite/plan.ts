import type { SqlValue } from './database.ts'

/**
 * A transaction for the writer thread.
 *
 * The statements are one string: posting an array of values to a thread costs the event loop eight times as much.
 */
export interface Plan {
  /** Empty when there is nothing to write. See {@link statementsOf}. */
  statements: string
  /** It frees space, so on a full disk it may use the reserve. */
  frees: boolean
}

/** Why nothing is read or written once SQLite has found a damaged page. */
export const DAMAGED =
  'Pages of the database of this server are damaged, so nothing is read or written. Its operator has to stop it and restore a backup.'

/** Whether an error means that SQLite has found damage. Matches its messages, because not every runtime gives its code (Deno 2.9.5: not of `exec`). */
export const isDamage = (reason: unknown): boolean =>
  reason instanceof Error &&
  /^(database disk image is malformed|file is not a database|malformed database schema)/.test(reason.message)

/** Why commits fail after the database files were moved or replaced. */
export const MOVED =
  'A file of the database was moved, deleted, replaced or truncated while the server had it open. Put it back, or start the server again.'

/** Outcome of a plan: empty when it was committed and synced. */
export interface CommitResult {
  /** {@link MOVED}, {@link DAMAGED}, or SQLite's message. */
  failed?: string
  /** A file was overwritten or truncated: until the next start, what is read from it is of no use either. */
  isLost?: true
  /** The disk is full: nothing was written. */
  isFull?: true
}

/** Whether commits are expected to succeed. */
export interface CheckResult extends CommitResult {
  /** The next start needs the WAL, so closing the database must not checkpoint it. */
  mustKeepWal: boolean
}

/** Separates the parts of a statements string. No value may contain it: SQLite ends a text at a NUL. */
const END = '\0'

/** Collects the statements of a transaction. */
export class PlanBuilder {
  /** For each statement: its SQL, one letter per value for its type, then the values. */
  #parts: SqlValue[] = []

  /** @throws TypeError for a text with a NUL, which SQLite can't store */
  write(sql: string, ...values: SqlValue[]): void {
    let types = ''
    for (const value of values) types += typeOf(value)
    this.#parts.push(sql, types, ...values)
  }

  /** Returns the statements since the last call, and forgets them. */
  take(): string {
    const statements = this.#parts.join(END)
    this.#parts = []
    return statements
  }
}

/** The statements of a plan, in order. */
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
