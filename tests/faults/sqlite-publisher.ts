/**
 * A process to be killed: `bun sqlite-publisher.ts PATH JOB,JOB…` publishes to the jobs in a file as fast as it may. It prints
 * `JOB VERSION` of what it finds, and again for each answer that it gets.
 */
import { writeSync } from 'node:fs'
import type { Batch } from '../../server/engine.ts'
import { SqliteEngine } from '../../server/engines/sqlite.ts'
import type { JobEvent } from '../../shared/events.ts'
import { instantOf } from '../arbitraries.ts'
import { newJob, taken } from '../conformance/fixtures.ts'

/** The batch that follows a version: always the same one, so that a document can be told from its version. */
export function batchAfter(version: number): Batch {
  const events = Array.from({ length: 1 + (version % 3) }, (_, index): JobEvent => {
    const number = version + index + 1
    return number % 2 === 0
      ? { type: 'log', message: `${number}` }
      : { type: 'item', id: `${number % 50}`, message: `${number}` }
  })
  return { events, at: instantOf(version) }
}

async function publish(engine: SqliteEngine, id: string): Promise<never> {
  await engine.create(newJob({ id }))
  let version = (await engine.read(id))?.header.version ?? 0
  for (;;) {
    // Straight into the pipe: what was printed was acknowledged, whenever the kill comes.
    writeSync(1, `${id} ${version}\n`)
    version = taken(await engine.apply(id, batchAfter(version))).version
  }
}

if (import.meta.main) {
  const [path = '', jobs = ''] = process.argv.slice(2)
  writeSync(1, 'started 0\n')
  const engine = SqliteEngine.open(path)
  await Promise.all(jobs.split(',').map((id) => publish(engine, id)))
}
