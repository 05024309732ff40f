import type { Figures, Options, Target } from '../target.ts'
import { connects } from './connects.ts'
import { crowded } from './crowded.ts'
import { fanOut } from './fan-out.ts'
import { flood } from './flood.ts'
import { keptJobs } from './kept-jobs.ts'
import { largeJob } from './large-job.ts'
import { publishes } from './publishes.ts'
import { quiet } from './quiet.ts'
import { slowDisk } from './slow-disk.ts'
import { slowReaders } from './slow-readers.ts'

/** What can be asked of a server, by name. */
export const workloads = {
  connects,
  crowded,
  fanOut,
  flood,
  keptJobs,
  largeJob,
  publishes,
  quiet,
  slowDisk,
  slowReaders,
} satisfies Record<string, (target: Target, options: Options) => Promise<Figures>>

export type WorkloadName = keyof typeof workloads
