import type { AppliedEvent } from '../../shared/document/events.ts'
import type { Marks } from './engine.ts'

/**
 * Generations tell cursors of this store's history from those of a lost one.
 *
 * A store that is restored from a backup assigns versions again, to other events than watchers have seen. So each run of the server that
 * writes the store is a generation with a random id, and a job records which generation applied which of its versions. Within a generation,
 * a version belongs to one event. A cursor is of this history if its generation applied the job's event at its version.
 */

/** Most generations recorded per job. Cursors of older ones get a snapshot. */
const KEPT = 8

/** The marks of a job that is created in a generation. */
export function createdIn(generation: string | undefined, marks: Marks): Marks {
  return generation === undefined ? marks : { ...marks, generations: [[generation, 1]] }
}

/** Records the generation in an event and in the job's marks, if it is the job's first event in this generation. */
export function enter(generation: string | undefined, marks: Marks, event: AppliedEvent): void {
  if (generation === undefined || marks.generations?.at(-1)?.[0] === generation) return
  event.generation = generation
  const entered: [string, number] = [generation, event.version]
  marks.generations = [...(marks.generations ?? []), entered].slice(-KEPT)
}

/** The generation in cursors at a version: `undefined` for the one that created the job, `null` if it is no longer recorded. */
export function generationAt({ generations = [] }: Marks, version: number): string | undefined | null {
  const found = generations.findLast(([, from]) => from <= version)
  if (found) return found[1] === 1 ? undefined : found[0]
  return generations.length < KEPT ? undefined : null
}
