/**
 * A process to be killed: `bun sqlite-publisher.ts PATH NEW_JOBS` publishes to jobs in a file as fast as it may. It prints
 * `JOB VERSION` of what it finds, and again for each answer that it gets. It loads little, to be up soon.
 */
import { writeSync } from 'node:fs'
import type { Batch, NewJob } from '../../server/engine.ts'
import { SqliteEngine } from '../../server/engines/sqlite.ts'
import type { JobEvent } from '../../shared/events.ts'

/** The batch that follows a version: always the same one, so that a document can be told from its version. */
export function batchAfter(version: number): Batch {
  const events = Array.from({ length: 1 + (version % 3) }, (_, index): JobEvent => {
    const number = version + index + 1
    // Some batches are of progress alone, which the engine logs and saves later.
    if (version % 4 < 2) return { type: 'progress', done: number }
    return number % 2 === 0
      ? { type: 'log', message: `${number}` }
      : { type: 'item', id: `${number % 50}`, message: `${number}` }
  })
  return { events, at: new Date(version * 1_000).toISOString() }
}

async function publish(engine: SqliteEngine, job: NewJob): Promise<never> {
  const { id } = job.header
  await engine.create(job)
  let version = (await engine.read(id))?.header.version
  for (;;) {
    // Straight into the pipe: what was printed was acknowledged, whenever the kill comes.
    writeSync(1, `${id} ${version}\n`)
    const applied = await engine.apply(id, batchAfter(version ?? 0))
    if ('refused' in applied) throw new Error(applied.refused.detail)
    version = applied.header.version
  }
}

if (import.meta.main) {
  const [path = '', newJobs = ''] = process.argv.slice(2)
  const jobs: NewJob[] = JSON.parse(newJobs)
  writeSync(1, 'started 0\n')
  const engine = await SqliteEngine.open(path)
  await Promise.all(jobs.map((job) => publish(engine, job)))
}
