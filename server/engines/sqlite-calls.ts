import type { AppliedEvent } from '../../shared/events.ts'
import type { JobHeader } from '../../shared/job.ts'
import type { Batch, NewJob, RemoveOnly, StoredJob } from '../engine.ts'
import type { Problem } from '../errors.ts'
import { type Entry, encodeSaved, entryOf, type Saved, type SavedJson } from './sqlite-store.ts'

/** What the engine asks of the thread that writes. All of it survives JSON. */
export type Call =
  | { do: 'create'; job: NewJob }
  | { do: 'apply'; id: string; batch: Batch }
  | { do: 'remove'; id: string; only?: RemoveOnly }
  /** Whether the file can be written, as far as the thread knows without writing. */
  | { do: 'check' }

/** What became of a call. */
export type Answer =
  | { refused: Problem }
  /** A sentence: the fold threw, or the file can't be written. */
  | { error: string }
  | { created: true }
  /** The id is taken, by this job. */
  | { created: false; job: StoredJob }
  /** `header` is left out when it is the one that was saved, `events` when they are those of the batch, the first one after `from`. */
  | { from: number; header?: JobHeader; events?: AppliedEvent[] }
  | { repeat: JobHeader }
  /** The job as it was. */
  | { removed: JobHeader | false }
  | { checked: true }

/** What became of calls that were committed together. */
export interface Reply {
  answers: Answer[]
  /** The jobs that changed, as the file has them now; nothing of those that are gone. */
  entries: Map<string, Entry | undefined>
}

/** A reply as JSON. Heads are in JSON already, and by far the most of it: they are not encoded again. */
export function encodeReply(answers: readonly Answer[], saved: ReadonlyMap<string, Saved | undefined>): string {
  const entries = [...saved].map(([id, one]) => `[${JSON.stringify(id)},${one ? encodeSaved(one) : 'null'}]`)
  return `{"answers":${JSON.stringify(answers)},"saved":[${entries.join(',')}]}`
}

export function decodeReply(text: string): Reply {
  const { answers, saved }: { answers: Answer[]; saved: [string, SavedJson | null][] } = JSON.parse(text)
  return { answers, entries: new Map(saved.map(([id, one]) => [id, one ? entryOf(one) : undefined])) }
}
