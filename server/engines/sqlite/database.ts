/** A value in a column. */
export type SqlValue = string | number | null

/** A SQLite database: the subset of `node:sqlite` in use, for which Durable Objects have an adapter. */
export interface Database {
  /** Runs any number of statements. */
  exec(sql: string): void
  prepare(sql: string): Statement
}

export interface Statement {
  get(...values: SqlValue[]): object | undefined
  all(...values: SqlValue[]): object[]
  run(...values: SqlValue[]): unknown
}

/** Untrusted text as a JSON string, which has neither NUL nor unpaired surrogates: SQL handles both badly. */
export function encodeText(text: string): string {
  return JSON.stringify(text)
}
