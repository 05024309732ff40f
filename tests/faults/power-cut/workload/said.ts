import type { AppliedEvent } from '../../../../shared/document/events.ts'
import type { JobHeader, Patch } from '../../../../shared/document/job.ts'

/** What a publisher says, a line each, at the moment at which it does or learns it. */
export type Said =
  | { say: 'started'; pid: number; run: number }
  | { say: 'create'; job: string; epoch: string }
  /** @param after the run that published what it goes on from */
  | { say: 'send'; job: string; epoch: string; from: number; run: number; after: number }
  | { say: 'remove'; job: string; epoch: string }
  | ({ say: 'saw' } & Sight)
  /** This life of the job was known to be there before, and is not. */
  | { say: 'gone'; how: Channel; job: string; epoch: string }
  /** A producer was refused again and again. */
  | { say: 'gave up'; job: string }
  /** How a run ended that was not killed: how many requests were refused, or why it could not begin. */
  | { say: 'ended'; refused: number }
  | { say: 'not opened'; reason: string }

/** How something was learned: from an answer, from a wake-up, or by reading. */
export type Channel = 'answer' | 'told' | 'read' | 'changes' | 'list'

/** What someone saw of a job: no crash may take it back. */
export interface Sight {
  how: Channel
  header: JobHeader
  /** What changed since a version, as far as it was shown: of rows or events a digest. */
  since?: number
  rows?: string
  events?: string
}

/** The text of a line, with its end. */
export const lineOf = (said: Said): string => `${JSON.stringify(said)}\n`

export const parseLine = (line: string): Said => JSON.parse(line)

/** A digest of rows that does not depend on the order of their fields. */
export function digestRows({ steps = [], items = [], errors = [], logs = [] }: Partial<Patch>): string {
  return digest([byIndex(steps), byIndex(items), errors, logs])
}

export const digestEvents = (events: readonly AppliedEvent[]): string => digest(events.map(withoutGeneration))

/** What the model has of something: it knows of events, and of no runs, which an engine names by itself. */
export function withoutGeneration<T extends { generation?: string | undefined }>(shown: T): Omit<T, 'generation'> {
  const { generation: _generation, ...rest } = shown
  return rest
}

const byIndex = <T extends { index: number }>(rows: T[]) => rows.toSorted((one, other) => one.index - other.index)

function digest(value: unknown): string {
  return Bun.hash(JSON.stringify(value, (_, inner) => sorted(inner))).toString(36)
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
