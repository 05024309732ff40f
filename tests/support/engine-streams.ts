import type { Engine } from '../../server/jobs/engine.ts'
import type { Job } from '../../shared/document/job.ts'
import { openLog, type StreamLog } from '../conformance/stream-log.ts'
import { FoldedJob } from './folded-job.ts'

/** A stream of one job of an engine, and its hub. */
export const watchJob = (engine: Engine, id: string) =>
  openLog(engine, (hub) => hub.openJob(id, 'all', undefined, { sub: 'ada' }))

/** The document that a stream of one job has shown. */
export function shown({ messages }: Pick<StreamLog, 'messages'>): Job {
  const folded = new FoldedJob()
  for (const { event, data } of messages) folded.take({ event, data, lastEventId: '' })
  return folded.job
}

/** The version of the document that a stream has shown, 0 for none. */
export const versionShown = (log: StreamLog) => (log.messages.length === 0 ? 0 : shown(log).version)

/** Resolves once work succeeds; the test's time-out says that it never did. */
export async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch {
      await Bun.sleep(20)
    }
  }
}
