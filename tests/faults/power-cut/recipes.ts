import { cutOnce } from './cuts.ts'
import type { AfterFailure } from './disk/cached-file.ts'
import { type Recording, type Run, record } from './recording.ts'

/** A story to be cut off at any moment. */
export interface Recipe {
  record(seed: number): Promise<Recording>
  /** How the page cache takes the syncs that fail in it. */
  afterFailure: AfterFailure
  /** Its documents are large: an image takes several times as long to check. */
  isLarge?: boolean
}

const SMALL = ['mixed-a', 'mixed-b', 'progress-c']
const LARGE = ['large-d', 'large-e', 'mixed-f']
/** Between 0 and `below`, another for each seed: where things happen is not the same in two recordings. */
const vary = (seed: number, below: number) => (seed * 7_919) % below

const runs = (make: (seed: number) => Run[], afterFailure: AfterFailure = 'clean'): Recipe => ({
  record: (seed) => record(make(seed)),
  afterFailure,
})

/** Some syncs fail while it runs; then it is started anew. */
const failing = (syncs: string, afterFailure: AfterFailure, jobs = SMALL) =>
  runs((seed) => {
    // Each thread counts its own.
    const first = 6 + vary(seed, 12)
    return [
      { jobs, batches: 60, inject: `fsync,fdatasync:error=EIO:when=${syncs.replaceAll('N', `${first}`)}` },
      { jobs, batches: 15 },
    ]
  }, afterFailure)

/** From some sync of each thread on all fail, until it is killed; what comes after it reads what never reached the disk. */
const failingUntilKilled = (afterFailure: AfterFailure) =>
  runs(
    (seed) => [
      { jobs: SMALL, batches: 40 },
      { jobs: SMALL, batches: 0, inject: `fsync,fdatasync:error=EIO:when=${4 + vary(seed, 12)}+`, killAfter: 800 },
      { jobs: SMALL, batches: 15 },
    ],
    afterFailure,
  )

/** By what they are about, to follow "when the power is cut". */
export const recipes: Record<string, Recipe> = {
  'among jobs of every kind': runs(() => [{ jobs: SMALL, batches: 120 }]),
  'while two producers fill the log with large batches': {
    ...runs(() => [{ jobs: LARGE, batches: 80 }]),
    isLarge: true,
  },
  'while syncs take long': runs(() => [{ jobs: SMALL, batches: 50, inject: 'fsync,fdatasync:delay_enter=3000' }]),
  'after the process was killed, again and again': runs((seed) => [
    { jobs: SMALL, batches: 0, killAfter: 200 + vary(seed, 100) },
    { jobs: SMALL, batches: 0, killAt: 1 + vary(seed, 30) },
    { jobs: SMALL, batches: 0, killAfter: 2 + vary(seed, 50) },
    { jobs: SMALL, batches: 0, killAt: 5 + vary(seed, 90) },
    { jobs: SMALL, batches: 10 },
  ]),
  'while it recovers from a power cut': {
    async record(seed) {
      const first = await record([{ jobs: SMALL, batches: 40 + vary(seed, 40) }])
      return record(
        [
          { jobs: SMALL, batches: 0, killAt: 20 + vary(seed, 50) },
          { jobs: SMALL, batches: 10 },
        ],
        cutOnce(first, seed),
      )
    },
    afterFailure: 'clean',
  },
  'after a sync failed': failing('N..N', 'clean'),
  'after syncs failed, now and then': failing('N+9', 'clean'),
  'after syncs failed, whose pages are written again': failing('N+9', 'dirty'),
  'after syncs failed, some of them while the log was moved into the file': {
    ...failing('N+5', 'clean', LARGE),
    isLarge: true,
  },
  'after syncs failed until the process was killed': failingUntilKilled('clean'),
  'after syncs failed until the process was killed, whose pages are written again': failingUntilKilled('dirty'),
}
