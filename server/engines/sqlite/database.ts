export type SqlValue = string | number | null

/** What is needed of a SQLite database: a part of what `node:sqlite` has, and other databases can be made to look like. */
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

/** Text as JSON, which has neither NUL nor unpaired surrogates: strangers choose it, and SQL has trouble with both. */
export function encodeText(text: string): string {
  return JSON.stringify(text)
}
