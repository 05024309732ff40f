/**
 * Shows the jobs of BullMQ's queues. Needs the package `bullmq`, which nothing else of Milepost loads.
 */
import { type Job, QueueEvents, type Worker } from 'bullmq'
import { backOff } from '../../shared/time/backoff.ts'
import { randomId } from '../../shared/time/clock.ts'
import { type BullMQQueue, BullMQSource, CANCEL_EVENT, connectionOf } from './bullmq-source.ts'
import { openBridge, type QueueReporterOptions, type ReportedQueue } from './open-bridge.ts'

export { bullMQJobId } from './bullmq-job.ts'
export type { BullMQQueue } from './bullmq-source.ts'
export type { JobDescription, QueueReporterOptions, ReportedQueue } from './open-bridge.ts'

/** The wait before another try to read the queue for the first time: milliseconds. */
const AGAIN_MS = { first: 250, most: 5_000 }

/**
 * Shows the jobs of a BullMQ queue, from when they are added to their end: progress, tries, failures, delays, and flows as parents and
 * children. A cancel removes a job that waits; a worker ends one that runs, with {@link acceptCancels}.
 *
 * Runs in any process, and in several at once. It reads the events of the queue and looks at its jobs, so that it misses nothing that happened
 * while it was away. Never throws.
 *
 * @example
 * ```ts
 * reportBullMQ(new Queue('exports', { connection }), { url: 'https://progress.example', token })
 * ```
 */
export function reportBullMQ(queue: BullMQQueue, options: QueueReporterOptions<Job>): ReportedQueue {
  const { bridge, clock, random, tell, describe, fields } = openBridge(queue.name, options)
  let isClosed = false
  const begin = async () => {
    for (let failures = 1; !isClosed; failures++) {
      try {
        const { sourceId, position } = await BullMQSource.begin(queue, randomId(random, 16))
        if (isClosed) return
        const source = new BullMQSource({ queue, bridge, clock, describe, fields, tell }, position)
        source.listen()
        return await bridge.start(source, sourceId)
      } catch (error) {
        if (failures === 1) tell(`The queue ${queue.name} can't be read: ${String(error)}`)
        const ms = backOff(failures, AGAIN_MS.first, AGAIN_MS.most, random.number())
        await new Promise<void>((resolve) => {
          clock.setTimeout(resolve, ms)
        })
      }
    }
  }
  void begin()
  return {
    close: async () => {
      isClosed = true
      await bridge.close()
    },
  }
}

/**
 * Ends jobs of a worker that were cancelled: their `signal` aborts, if the processor takes it as its third parameter. A job that then throws
 * is cancelled; `UnrecoverableError` keeps BullMQ from trying it again first.
 *
 * @example
 * ```ts
 * acceptCancels(new Worker('exports', async (job, _, signal) => exportRows(job.data, signal), { connection }))
 * ```
 */
export function acceptCancels(worker: Worker): void {
  const events = new QueueEvents(worker.name, connectionOf(worker))
  const onCancel = ({ jobId }: { jobId: string }) => worker.cancelJob(jobId, 'A watcher cancelled this job')
  // The types know BullMQ's own events.
  events.on(CANCEL_EVENT as 'active', onCancel)
  events.on('error', () => {})
  worker.on('closing', () => void events.close().catch(() => {}))
}
