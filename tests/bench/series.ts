import { onSqlite } from './peers/milepost.ts'
import { format } from './results.ts'
import type { Column, Contestant, Row } from './row.ts'
import type { Options } from './target.ts'
import { measureUnderLoad } from './under-load.ts'
import type { WorkloadName } from './workloads/index.ts'

/** A figure that grows in a straight line. */
export interface Growth {
  figure: string
  /** What costs so much, and what of. */
  what: string
  unit: string
}

/** A row that measures Milepost alone, with more and more of something. */
export interface Series {
  row: Row
  /** What there is more and more of. */
  by: string
  /** How much of it each contestant has, by its name. */
  points: ReadonlyMap<string, number>
  /** Nothing, where it is in no straight line. */
  grows: readonly Growth[]
}

interface Plan extends Pick<Row, 'name' | 'title' | 'takes' | 'columns'> {
  workload: WorkloadName
  /** The option that grows, and what it counts. */
  option: string
  by: string
  points: readonly Options[]
  /** What all points have in common. */
  options?: Options
  grows?: readonly Growth[]
}

function series({ workload, option, by, points, options = {}, grows = [], ...row }: Plan): Series {
  const amounts = points.map((point) => point[option] ?? 0)
  const names = amounts.map((amount) => `${format(amount)} ${by}`)
  const contestants: Contestant[] = points.map((point, index) => ({
    name: names[index] ?? '',
    of: onSqlite.name,
    missing: () => onSqlite.missing(),
    measure: (common) => measureUnderLoad(onSqlite, workload, { ...common, ...point }),
  }))
  return {
    // Many points even out what the rounds would.
    row: { ...row, contestants, options, goals: [], isOnce: true },
    by,
    points: new Map(names.map((name, index) => [name, amounts[index] ?? 0])),
    grows,
  }
}

/** What is rare is compiled during the warm-up too: a pace that is steady, and that of another job. */
const STEADY = { warmUp: 2, seconds: 2, hotPerSecond: 1_000 }
const cpuPublished: Column = { figure: 'cpuPublished', label: 'CPU-µs an event' }
const cpuSecond: Column = { figure: 'cpuSecond', label: 'CPU-µs a second, all in all' }
const resident: Column = { figure: 'resident', label: 'KiB of memory' }
const disk: Column = { figure: 'disk', label: 'KiB on the disk' }

/** How cost grows. Each event is a frame of its own, but where it is said otherwise. */
export const allSeries = {
  watchers: series({
    name: 'S1',
    title: '1 job, and more and more watchers',
    workload: 'fanOut',
    option: 'watchers',
    by: 'watchers',
    // Fewer events for more watchers, so that neither core is ever full.
    points: [
      { watchers: 100, perSecond: 20 },
      { watchers: 1_000, perSecond: 20 },
      { watchers: 9_000, perSecond: 4 },
    ],
    options: STEADY,
    columns: [cpuPublished, { figure: 'cpu', label: 'CPU-µs a delivery' }, { figure: 'p99', label: 'p99, ms' }],
    grows: [{ figure: 'cpuPublished', what: 'an event of a job', unit: 'CPU-µs' }],
  }),
  idle: series({
    name: 'S1m',
    title: '1 job, and more and more watchers with nothing to do',
    workload: 'connects',
    option: 'watchers',
    by: 'watchers',
    points: [{ watchers: 900 }, { watchers: 9_800 }],
    takes: 7,
    columns: [
      resident,
      { figure: 'kib', label: 'KiB each' },
      { figure: 'kernelKib', label: 'KiB of the kernel each' },
      { figure: 'cpu', label: 'CPU-µs a connect' },
    ],
    grows: [{ figure: 'resident', what: 'the process', unit: 'KiB' }],
  }),
  rate: series({
    name: 'S2',
    title: '100 jobs that nobody watches, and more and more events, each a request',
    workload: 'fanOut',
    option: 'perSecond',
    by: 'events/s',
    points: [{ perSecond: 100 }, { perSecond: 1_000 }, { perSecond: 5_000 }],
    options: { ...STEADY, jobs: 100, watchers: 0 },
    columns: [cpuPublished, cpuSecond],
  }),
  watchedRate: series({
    name: 'S2w',
    title: '1,000 jobs with a watcher each, and more and more events, each a request',
    workload: 'fanOut',
    option: 'perSecond',
    by: 'events/s',
    points: [{ perSecond: 500 }, { perSecond: 2_000 }, { perSecond: 5_000 }],
    options: { ...STEADY, jobs: 1_000, watchers: 1 },
    columns: [cpuPublished, cpuSecond],
  }),
  batch: series({
    name: 'S2b',
    title: '64 producers, and more and more events a request',
    workload: 'publishes',
    option: 'batch',
    by: 'events a request',
    points: [{ batch: 1 }, { batch: 100 }],
    options: { warmUp: 3, seconds: 2, publishers: 64 },
    columns: [
      { figure: 'cpuRequest', label: 'CPU-µs a request' },
      { figure: 'cpu', label: 'CPU-µs an event' },
      { figure: 'rate', label: 'events acknowledged/s', isMoreBetter: true },
    ],
    grows: [{ figure: 'cpuRequest', what: 'a request', unit: 'CPU-µs' }],
  }),
  jobs: series({
    name: 'S3',
    title: 'more and more jobs, of one event each, that nobody watches',
    workload: 'keptJobs',
    option: 'jobs',
    by: 'jobs',
    points: [{ jobs: 1_000 }, { jobs: 4_000 }, { jobs: 9_000 }],
    takes: 5,
    columns: [resident, disk],
    grows: [
      { figure: 'resident', what: 'the process', unit: 'KiB' },
      { figure: 'disk', what: 'the file', unit: 'KiB' },
    ],
  }),
  watchedJobs: series({
    name: 'S3w',
    title: 'more and more jobs, with a watcher each',
    workload: 'keptJobs',
    option: 'jobs',
    by: 'watched jobs',
    points: [{ jobs: 1_000 }, { jobs: 4_000 }, { jobs: 9_000 }],
    options: { watchers: 1 },
    takes: 6,
    columns: [resident],
    grows: [{ figure: 'resident', what: 'the process', unit: 'KiB' }],
  }),
  items: series({
    name: 'S3i',
    title: '1 job, and more and more items of about a hundred bytes',
    workload: 'keptJobs',
    option: 'items',
    by: 'items',
    points: [{ items: 1_000 }, { items: 10_000 }, { items: 50_000 }],
    takes: 6,
    columns: [resident, disk],
    grows: [{ figure: 'disk', what: 'the file', unit: 'KiB' }],
  }),
  frames: series({
    name: 'S4',
    title: '1 job, 100 watchers, and more and more events',
    workload: 'fanOut',
    option: 'perSecond',
    by: 'events/s',
    points: [{ perSecond: 10 }, { perSecond: 1_000 }, { perSecond: 5_000 }],
    options: { ...STEADY, watchers: 100 },
    columns: [
      { figure: 'messagesSecond', label: 'messages a watcher a second' },
      { figure: 'bytesSecond', label: 'bytes a watcher a second' },
      cpuPublished,
      cpuSecond,
    ],
  }),
}

export type SeriesName = keyof typeof allSeries
