import type { Batch, JobToCreate } from '../../../../server/jobs/engine.ts'
import type { JobEvent } from '../../../../shared/document/events.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { eventAt } from './script-events.ts'

/** A batch, told by where it was published: two runs that go on from one version publish different things. */
export interface Sent {
  job: string
  epoch: string
  /** The version that it goes on from. */
  from: number
  /** Which process published it, counted from 1. */
  run: number
}

export const OWNER = 'ada'
const CREATOR = 'importer'
const START = Date.parse('2026-01-01T00:00:00.000Z')
/** Milliseconds from one version to the next. So few that no idempotency key gets too old. */
const VERSION_MS = 50
/** Runs that a history can have. */
export const RUNS = VERSION_MS

/** A message as long as one may be, nearly. */
const LARGE = 'the quick brown fox jumps over the lazy dog; '.repeat(178)

/** The moment of a batch. It says which run published it, so that a header tells whose work it shows. */
const momentOf = ({ from, run }: Pick<Sent, 'from' | 'run'>) => new Date(START + from * VERSION_MS + run).toISOString()

/** The run that published the newest batch that a header shows. */
export const runOf = (header: { updatedAt: string }): number => (Date.parse(header.updatedAt) - START) % VERSION_MS

/** Lives of one job in the order of their creation. */
export const epochOf = (run: number, count: number): string => `r${run}n${count}`

/** Which of two lives of a job is the later one: negative when the second is. */
export function compareEpochs(one: string, other: string): number {
  const [[oneRun = 0, oneCount = 0], [run = 0, count = 0]] = [numbersOf(one), numbersOf(other)]
  return oneRun - run || oneCount - count
}

const numbersOf = (epoch: string) => [...epoch.matchAll(/\d+/g)].map(Number)

/** The job that a life begins with. */
export function jobOf(job: string, epoch: string): JobToCreate {
  const [run = 0] = numbersOf(epoch)
  const createdAt = momentOf({ from: 0, run })
  return {
    header: {
      id: job,
      epoch,
      version: 1,
      kind: job.split('-')[0] ?? job,
      title: `Job ${job}`,
      owner: OWNER,
      createdBy: CREATOR,
      status: 'pending',
      progress: { done: 0 },
      itemCounts: { pending: 0, running: 0, succeeded: 0, failed: 0, skipped: 0 },
      errorCount: 0,
      logCount: 0,
      cancelRequested: false,
      pauseRequested: false,
      createdAt,
      updatedAt: createdAt,
      lastEventAt: createdAt,
    },
    marks: { resultVersion: 0, metadataVersion: 0, stepCount: 0, bytes: 1_000, requestDigest: `${job} ${epoch}` },
  }
}

/** Whether a job of this life is ended, or simply removed, by what follows a version. */
export function endOf({ job, epoch, from }: Omit<Sent, 'run'>): 'ends' | 'is removed' | undefined {
  if (job.startsWith('progress')) return undefined
  const random = new SeededRandom(Number(Bun.hash(`${job} ${epoch}`) & 0xffff_ffffn))
  if (job.startsWith('large')) return from > 200 + random.below(400) ? 'is removed' : undefined
  const isEnded = random.chance(0.6)
  if (from < 40 + random.below(120)) return undefined
  return isEnded ? 'ends' : 'is removed'
}

/** The batch that goes on from a version: always the same for the same run. */
export function batchOf(sent: Sent): Batch {
  const { job, epoch, from, run } = sent
  const random = new SeededRandom(Number(Bun.hash(`${job} ${epoch} ${from}`) & 0xffff_ffffn))
  const batch: Batch = { events: eventsOf(sent, random), at: momentOf(sent), createdBy: CREATOR }
  if (endOf(sent) === 'ends') batch.retentionSeconds = 3_600
  // What has no key is sent once: whether it was taken, the job's version tells.
  if (random.chance(0.5)) batch.key = { key: `${epoch}-${from}-${run}`, digest: `digest ${from} ${run}` }
  return batch
}

function eventsOf(sent: Sent, random: SeededRandom): JobEvent[] {
  const { job, from, run } = sent
  const nextTag = (index: number) => ({ version: from + 1 + index, run })
  if (job.startsWith('progress')) {
    return Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      type: 'progress',
      done: from + 1 + index,
      message: `${run}`,
    }))
  }
  if (job.startsWith('large')) {
    const length = random.chance(0.7) ? 100 : 1 + random.below(10)
    return Array.from({ length }, (_, index) => ({ type: 'log', message: `${run}.${from + 1 + index} ${LARGE}` }))
  }
  if (endOf(sent) === 'ends') {
    const status = (['completed', 'failed', 'cancelled'] as const)[random.below(3)] ?? 'completed'
    return [{ type: 'status', status, result: { by: run, rows: [from, null, '\u0000"😀'] }, message: null }]
  }
  const length = random.chance(0.1) ? 20 : 1 + random.below(5)
  return Array.from({ length }, (_, index) => eventAt(random, nextTag(index)))
}
