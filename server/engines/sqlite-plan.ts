import type { SqlValue } from './sqlite-database.ts'

/** A transaction for another thread to make: plain data, that a structured clone copies cheaply. */
export interface Plan {
  /** The statements' texts, each once. */
  texts: string[]
  /** What to run, in this order: for each statement the place of its text, how many values it has, and these. In one flat list, which is cloned in a third of the time. */
  steps: SqlValue[]
  /** On a full disk it may have the room that is kept for removals. */
  frees?: true
}

/** Why nothing is written while the file is not where it was. */
export const MOVED =
  'The database file was moved, deleted or replaced while the server had it open. Put it back, or start the server again.'

/** What became of a plan: nothing when it was committed, and synced. */
export interface Outcome {
  /** {@link MOVED}, or what SQLite says. */
  failed?: string
  /** The disk has no room: nothing was written. */
  isFull?: true
}

/** Collects the statements of a transaction. */
export class PlanBuilder {
  readonly #texts = new Map<string, number>()
  #steps: Plan['steps'] = []

  write(sql: string, ...values: SqlValue[]): void {
    let text = this.#texts.get(sql)
    if (text === undefined) {
      text = this.#texts.size
      this.#texts.set(sql, text)
    }
    this.#steps.push(text, values.length, ...values)
  }

  /** What was written since it was taken before. */
  take(): Plan {
    const plan = { texts: [...this.#texts.keys()], steps: this.#steps }
    this.#texts.clear()
    this.#steps = []
    return plan
  }
}
