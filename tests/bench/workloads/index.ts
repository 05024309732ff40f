import type { Figures, Options, Target } from '../target.ts'
import { acrossNodes } from './across-nodes.ts'
import { connects } from './connects.ts'
import { crowded } from './crowded.ts'
import { fanOut } from './fan-out.ts'
import { flood } from './flood.ts'
import { keptJobs } from './kept-jobs.ts'
import { largeJob } from './large-job.ts'
import { nodePublishes } from './node-publishes.ts'
import { publishes } from './publishes.ts'
import { quiet } from './quiet.ts'
import { redisMemory } from './redis-memory.ts'
import { scriptAlone } from './script-alone.ts'
import { slowDisk } from './slow-disk.ts'
import { slowReaders } from './slow-readers.ts'
import { watchedElsewhere } from './watched-elsewhere.ts'

/** What can be asked of a server, by name. */
export const workloads = {
  acrossNodes,
  connects,
  crowded,
  fanOut,
  flood,
  keptJobs,
  largeJob,
  nodePublishes,
  publishes,
  quiet,
  redisMemory,
  scriptAlone,
  slowDisk,
  slowReaders,
  watchedElsewhere,
} satisfies Record<string, (target: Target, options: Options) => Promise<Figures>>

export type WorkloadName = keyof typeof workloads
