import type { AppliedEvent } from '../../shared/document/events.ts'
import type { Marks } from './engine.ts'

/**
 * Which history a version is of.
 *
 * A store that is put back to an older state, from a backup or by hand, gives the versions after it to other events than those that watchers
 * were told of. Each run of the server that writes it is a generation with a random id, and a job remembers which generation applied which of
 * its versions. One generation gives a version to one event only: so a cursor whose generation is that of the job's event at its version is of
 * this history, and any other is not.
 */

/** Generations that a job remembers. Cursors of older ones get a snapshot. */
const KEPT = 8

/** What a job remembers that is created in a generation. */
export function createdIn(generation: string | undefined, marks: Marks): Marks {
  return generation === undefined ? marks : { ...marks, generations: [[generation, 1]] }
}

/** Writes into an event, and into the marks of its job, that a generation begins with it, if one does. */
export function enter(generation: string | undefined, marks: Marks, event: AppliedEvent): void {
  if (generation === undefined || marks.generations?.at(-1)?.[0] === generation) return
  event.generation = generation
  const entered: [string, number] = [generation, event.version]
  marks.generations = [...(marks.generations ?? []), entered].slice(-KEPT)
}

/** The generation that cursors at a version name, `undefined` for that of the creation; `null` when it is not remembered. */
export function generationAt({ generations = [] }: Marks, version: number): string | undefined | null {
  const found = generations.findLast(([, from]) => from <= version)
  if (found) return found[1] === 1 ? undefined : found[0]
  return generations.length < KEPT ? undefined : null
}
