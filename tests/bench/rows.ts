import type { Options } from './target.ts'
import type { WorkloadName } from './workloads/index.ts'

/** A figure that a workload finds, as the table shows it. */
export interface Column {
  figure: string
  label: string
}

/** What Milepost on SQLite has to reach. */
export interface Goal {
  figure: string
  /** The peer that it is held against; left out, the figure itself is. */
  against?: string
  /** Whose figure it is; left out, Milepost's on SQLite and Bun. */
  of?: string
  /** Another row's figure of Milepost's own that it is held against. */
  againstRow?: string
  atMost?: number
  atLeast?: number
}

/** One line of the bench: the same work for each peer. */
export interface Row {
  name: string
  title: string
  workload: WorkloadName
  options: Options
  /** What a quick run does with less of. */
  quick?: Options
  columns: Column[]
  /** Whom it is for: all but what runs on Deno and workerd, or some of them. */
  peers: 'all' | 'milepost' | 'Deno' | 'workerd'
  goals: Goal[]
}

const NCHAN = 'nchan, nginx'
const HONO = 'Hono streamSSE, Bun'

const cpu = { figure: 'cpu', label: 'CPU-s per million deliveries' }
const latency = [
  { figure: 'p50', label: 'p50, ms' },
  { figure: 'p99', label: 'p99, ms' },
]
const correctness = [
  { figure: 'eventsAMessage', label: 'events a message' },
  { figure: 'lost', label: 'lost' },
  { figure: 'duplicated', label: 'twice' },
  { figure: 'late', label: 'later than 250 ms' },
]
const fanOut: Pick<Row, 'workload' | 'peers' | 'columns'> = {
  workload: 'fanOut',
  peers: 'all',
  columns: [cpu, ...latency, ...correctness],
}

export const rows: readonly Row[] = [
  {
    ...fanOut,
    name: 'W1',
    title: '1 job, 1,000 watchers, 25 events/s',
    options: { jobs: 1, watchers: 1_000, perSecond: 25, warmUp: 1.5, seconds: 3 },
    goals: [
      { figure: 'cpu', against: NCHAN, atMost: 0.85 },
      { figure: 'cpu', against: HONO, atMost: 0.6 },
      { figure: 'p99', against: NCHAN, atMost: 1 },
    ],
  },
  {
    ...fanOut,
    name: 'Wb',
    title: '1 job, 100 watchers, 500 events/s in bursts of 10',
    options: { jobs: 1, watchers: 100, perSecond: 500, burst: 10, warmUp: 1.5, seconds: 3 },
    goals: [{ figure: 'cpu', against: NCHAN, atMost: 0.3 }],
  },
  {
    ...fanOut,
    name: 'W2',
    title: '1,000 jobs, 1 watcher each, 5 events/s each',
    options: { jobs: 1_000, watchers: 1, perSecond: 5_000, warmUp: 1.5, seconds: 3 },
    goals: [{ figure: 'cpu', against: HONO, atMost: 1.25 }],
  },
  {
    name: 'W3',
    title: '1 job, 1,000 watchers, as many events as it takes from 8 producers',
    workload: 'flood',
    peers: 'all',
    options: { watchers: 1_000, publishers: 8, warmUp: 1.5, seconds: 3 },
    columns: [{ figure: 'rate', label: 'events seen/s' }, cpu, ...latency, ...correctness],
    goals: [
      { figure: 'rate', against: NCHAN, atLeast: 10 },
      { figure: 'p99', atMost: 100 },
    ],
  },
  {
    name: 'W4',
    title: '9,900 watchers with nothing to do',
    workload: 'connects',
    peers: 'all',
    options: { watchers: 9_800 },
    quick: { watchers: 3_000, restSeconds: 0.5 },
    columns: [{ figure: 'kib', label: 'KiB each' }],
    goals: [{ figure: 'kib', against: NCHAN, atMost: 0.65 }],
  },
  {
    name: 'W5',
    title: '64 producers, an event a request',
    workload: 'publishes',
    peers: 'all',
    options: { publishers: 64, batch: 1, warmUp: 1.5, seconds: 3 },
    columns: [
      { figure: 'rate', label: 'events acknowledged/s' },
      { figure: 'cpu', label: 'CPU-s per million events' },
    ],
    goals: [{ figure: 'rate', against: HONO, atLeast: 0.6 }],
  },
  {
    name: 'W5b',
    title: '64 producers, 100 events a request',
    workload: 'publishes',
    peers: 'milepost',
    options: { publishers: 64, batch: 100, warmUp: 1.5, seconds: 3 },
    columns: [
      { figure: 'rate', label: 'events acknowledged/s' },
      { figure: 'cpu', label: 'CPU-s per million events' },
    ],
    goals: [{ figure: 'rate', againstRow: 'W5', atLeast: 6 }],
  },
  {
    name: 'W6',
    title: '5,000 connects, until each has its first state',
    workload: 'connects',
    peers: 'all',
    options: { watchers: 5_000 },
    quick: { watchers: 2_000, restSeconds: 0.2 },
    columns: [
      { figure: 'seconds', label: 's' },
      { figure: 'rate', label: 'connects/s' },
      { figure: 'cpu', label: 'CPU-s per million connects' },
    ],
    goals: [{ figure: 'seconds', against: NCHAN, atMost: 0.6 }],
  },
  {
    name: 'W7',
    title: '1,000 watchers, 25 events/s, and 10 watchers that never read',
    workload: 'slowReaders',
    peers: 'milepost',
    options: { watchers: 1_000, slow: 10, perSecond: 25, fillSeconds: 5, seconds: 3 },
    quick: { fillSeconds: 2 },
    columns: [
      { figure: 'ratio', label: 'p99 ÷ p99 without them' },
      { figure: 'p99', label: 'p99, ms' },
      { figure: 'lost', label: 'lost' },
      { figure: 'duplicated', label: 'twice' },
    ],
    goals: [{ figure: 'ratio', atMost: 1.2 }],
  },
  {
    name: 'W7m',
    title: '200 watchers that never read',
    workload: 'slowReaders',
    peers: 'milepost',
    options: { watchers: 1, slow: 200, perSecond: 25, fillSeconds: 6, seconds: 0.5 },
    quick: { slow: 50, fillSeconds: 2, seconds: 0.2 },
    columns: [{ figure: 'kib', label: 'KiB of ours each' }],
    goals: [{ figure: 'kib', atMost: 64 }],
  },
  {
    name: 'W8',
    title: 'one more event in a job of 100,000 items, beside a job of one',
    workload: 'largeJob',
    peers: 'milepost',
    options: { items: 100_000, events: 4_000 },
    quick: { items: 20_000, events: 1_000 },
    columns: [
      { figure: 'ratio', label: 'CPU ÷ CPU in a job of one' },
      { figure: 'cpuLarge', label: 'CPU-µs an event' },
      ...[0, 1, 10, 100, 1_000].map((k) => ({ figure: `resume${k}`, label: `CPU-µs to tell the last ${k} changes` })),
    ],
    goals: [{ figure: 'ratio', atMost: 1.2 }],
  },
  {
    ...fanOut,
    peers: 'Deno',
    name: 'W9',
    title: 'W1 on Deno',
    options: { jobs: 1, watchers: 1_000, perSecond: 25, warmUp: 1.5, seconds: 3 },
    goals: [{ figure: 'cpu', of: 'Milepost, sqlite, Deno', against: 'Hono streamSSE, Deno', atMost: 1 }],
  },
  {
    ...fanOut,
    peers: 'workerd',
    name: 'W9w',
    title: '1 job, 200 watchers, 25 events/s on workerd',
    options: { jobs: 1, watchers: 200, perSecond: 25, warmUp: 1.5, seconds: 3 },
    goals: [],
  },
  {
    name: 'L',
    title: '1 job, 1 watcher, an event now and then',
    workload: 'quiet',
    peers: 'all',
    options: { events: 100 },
    quick: { events: 25 },
    columns: [
      { figure: 'acknowledged50', label: 'acknowledged, p50, ms' },
      { figure: 'acknowledged99', label: 'acknowledged, p99, ms' },
      { figure: 'p50', label: 'seen, p50, ms' },
      { figure: 'p99', label: 'seen, p99, ms' },
      { figure: 'lost', label: 'lost' },
    ],
    goals: [],
  },
]
