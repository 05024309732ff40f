import { missingBrowser } from '../support/chromium.ts'
import { browserFigures } from './client/browser.ts'
import { bundles } from './client/bundle-size.ts'
import { betterSse } from './peers/better-sse.ts'
import { hono } from './peers/hono.ts'
import { onDenoSqlite, onMemory, onSqlite } from './peers/milepost.ts'
import { nchan } from './peers/nchan.ts'
import type { Peer } from './peers/peer.ts'
import { raw } from './peers/raw.ts'
import { onSlowDisk } from './peers/slow-disk.ts'
import { worker } from './peers/worker.ts'
import { type Contestant, type Row, rate } from './row.ts'
import { nodeRows } from './rows-nodes.ts'
import type { Options } from './target.ts'
import { extra, underLoad } from './under-load.ts'
import type { WorkloadName } from './workloads/index.ts'

/** How often each row is measured, unless it says otherwise or `--rounds` does. */
export const ROUNDS = 2

const honoBun = hono('Bun')
const everyone = [onSqlite, onMemory, honoBun, betterSse('Bun'), betterSse('Node'), nchan, raw]

/** Ours and those peers that are always measured; the others when they are asked for. */
function beside(workload: WorkloadName, always: readonly Peer[]): Contestant[] {
  const measured = underLoad(workload, [onSqlite, ...always])
  const others = everyone.filter(({ name }) => measured.every((one) => one.name !== name))
  return [...measured, ...extra(underLoad(workload, others))]
}

const NCHAN = nchan.name
const HONO = honoBun.name
const RAW = raw.name

const cpu = { figure: 'cpu', label: 'CPU-s per million deliveries' }
const cpuFirst = { figure: 'cpuFirst', label: 'the same, first 4 s' }
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
const fanOut = [cpu, cpuFirst, ...latency, ...correctness]
const rateFirst = { figure: 'rateFirst', label: 'the same, first 4 s', isMoreBetter: true }
const cpuEvent = { figure: 'cpu', label: 'CPU-s per million events' }

/** A server that has just started: seconds. */
const FIRST = 4
/** Long enough for every runtime to have compiled what is hot, so that what is measured is the steady state: seconds. */
const STEADY = { warmUp: 2, seconds: 3 }
/** The same where too little is published for that: another job is published to as well, until the measure begins. */
const SELDOM = { ...STEADY, hotPerSecond: 2_000 }
/** The same for who is asked for all that they can do. */
const FULL = { warmUp: 2, seconds: 2 }
/** The same with the warm-up as a figure. */
const FULL_FROM_START = { warmUp: FIRST, seconds: 2 }

/** What a principal floods the server with in row F. */
const crowds = {
  alone: 'alone',
  batches: 'batches of 1,000 events',
  items: 'batches of 1,000 items',
  bodies: 'bodies of 1 MiB',
  creates: 'creations',
}

/** What an idle watcher takes. */
const memory: Pick<Row, 'takes' | 'quick' | 'isOnce' | 'columns' | 'goals'> = {
  takes: 5,
  quick: { restSeconds: 0.5 },
  isOnce: true,
  columns: [
    { figure: 'kib', label: 'KiB each' },
    { figure: 'kernelKib', label: 'KiB of the kernel each' },
  ],
  goals: [{ figure: 'kib', against: NCHAN, atMost: 0.65 }],
}

/** As many events as a server acknowledges. */
const lone = (name: string, title: string, options: Options, others: readonly Peer[], atLeast: number): Row => ({
  name,
  title,
  contestants: beside('publishes', others),
  options: { batch: 1, ...options, ...FULL_FROM_START },
  columns: [rate, rateFirst, cpuEvent, cpuFirst],
  goals: [
    { figure: 'rate', against: HONO, atLeast },
    { figure: 'rateFirst', against: HONO, atLeast },
    { figure: 'cpu', against: HONO, atMost: 1.5 },
  ],
})

/** 64 producers and a disk: what others wait meanwhile, who have nothing to do with what is written. */
const onDisk = (name: string, disk: Peer, options: Options, isExtra = false): Row => ({
  name,
  title: `W5, and others who ask meanwhile; ${name === 'D' ? 'the disk as it is' : disk.name.split(', ').at(-1)}`,
  contestants: isExtra ? extra(underLoad('slowDisk', [disk])) : underLoad('slowDisk', [disk]),
  options: { publishers: 64, warmUp: 2, ...options },
  quick: { seconds: 2, askSeconds: 5 },
  isOnce: true,
  columns: [
    rate,
    cpuEvent,
    { figure: 'healthz99', label: '/healthz, p99, ms' },
    { figure: 'healthzMost', label: '/healthz, at most, ms' },
    { figure: 'read99', label: 'a job that nobody writes, p99, ms' },
  ],
  // No request holds the event loop for longer.
  goals: [{ figure: 'healthz99', atMost: 50 }],
})

export const rows: readonly Row[] = [
  {
    name: 'W1',
    title: '1 job, 1,000 watchers, 25 events/s',
    contestants: beside('fanOut', [honoBun, nchan, raw]),
    options: { jobs: 1, watchers: 1_000, perSecond: 25, firstSeconds: FIRST, ...SELDOM },
    columns: fanOut,
    goals: [
      { figure: 'cpu', against: NCHAN, atMost: 0.85 },
      { figure: 'cpu', against: HONO, atMost: 0.6 },
      { figure: 'cpu', against: RAW, atMost: 1.05 },
      { figure: 'cpuFirst', against: NCHAN, atMost: 0.85 },
      { figure: 'cpuFirst', against: HONO, atMost: 0.6 },
      { figure: 'p99', against: NCHAN, atMost: 1 },
    ],
  },
  {
    name: 'Wb',
    title: '1 job, 100 watchers, 500 events/s in bursts of 10',
    contestants: beside('fanOut', [nchan]),
    options: { jobs: 1, watchers: 100, perSecond: 500, burst: 10, firstSeconds: FIRST, ...SELDOM },
    isOnce: true,
    columns: fanOut,
    goals: [
      { figure: 'cpu', against: NCHAN, atMost: 0.3 },
      { figure: 'cpuFirst', against: NCHAN, atMost: 0.3 },
    ],
  },
  {
    name: 'W2',
    title: '1,000 jobs, 1 watcher each, 5 events/s each',
    contestants: beside('fanOut', [onMemory, honoBun]),
    // The first seconds are the warm-up, which need not be longer.
    options: { jobs: 1_000, watchers: 1, perSecond: 5_000, firstSeconds: FIRST, warmUp: 0.5, seconds: 3 },
    columns: fanOut,
    goals: [
      { figure: 'cpu', against: HONO, atMost: 1.25 },
      { figure: 'cpuFirst', against: HONO, atMost: 1.25 },
    ],
  },
  {
    name: 'W3',
    title: '1 job, 1,000 watchers, as many events as it takes from 8 producers',
    contestants: beside('flood', [nchan]),
    options: { watchers: 1_000, publishers: 8, ...FULL },
    isOnce: true,
    columns: [{ figure: 'rate', label: 'events seen/s', isMoreBetter: true }, cpu, ...latency, ...correctness],
    goals: [
      { figure: 'rate', against: NCHAN, atLeast: 10 },
      { figure: 'p99', atMost: 100 },
    ],
  },
  {
    name: 'W4',
    title: '9,900 watchers with nothing to do',
    contestants: beside('connects', [nchan]),
    options: { watchers: 9_800, restSeconds: 1.5 },
    ...memory,
  },
  {
    name: 'W4j',
    title: '9,900 watchers of 1,000 jobs, with nothing to do',
    contestants: beside('connects', [nchan]),
    options: { watchers: 9_800, jobs: 1_000, restSeconds: 1.5 },
    ...memory,
  },
  lone('W5', '64 producers, an event a request', { publishers: 64 }, [onMemory, honoBun], 0.6),
  { ...lone('W5e', '8 producers, an event a request', { publishers: 8 }, [honoBun], 0.6), isOnce: true },
  {
    ...lone('W5t', 'W5 on servers with both cores', { publishers: 64, cores: 2 }, [honoBun], 0.8),
    isOnce: true,
  },
  {
    name: 'W5b',
    title: '64 producers, 100 events a request',
    contestants: underLoad('publishes', [onSqlite]),
    options: { publishers: 64, batch: 100, ...FULL },
    isOnce: true,
    columns: [rate, cpuEvent],
    goals: [{ figure: 'rate', againstRow: 'W5', atLeast: 6 }],
  },
  onDisk('D', onSqlite, { seconds: 3, askSeconds: 4 }),
  // Longer, so that SQLite has moved its log into the file meanwhile.
  onDisk('D50', onSlowDisk(50), { seconds: 3, askSeconds: 8 }, true),
  onDisk('D400', onSlowDisk(400), { seconds: 3, askSeconds: 12 }),
  {
    name: 'W6',
    title: '5,000 connects, until each has its first state',
    contestants: beside('connects', [nchan, raw]),
    options: { watchers: 5_000, restSeconds: 0.2 },
    isOnce: true,
    columns: [
      { figure: 'seconds', label: 's' },
      { figure: 'rate', label: 'connects/s', isMoreBetter: true },
      { figure: 'cpu', label: 'CPU-s per million connects' },
    ],
    goals: [
      { figure: 'seconds', against: NCHAN, atMost: 0.6 },
      { figure: 'seconds', against: RAW, atMost: 1.1 },
    ],
  },
  {
    name: 'W7',
    title: '1,000 watchers, 25 events/s, and 10 watchers that never read',
    contestants: underLoad('slowReaders', [onSqlite]),
    options: { watchers: 1_000, slow: 10, perSecond: 25, fillSeconds: 3, seconds: 2 },
    quick: { fillSeconds: 2 },
    takes: 9,
    isOnce: true,
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
    contestants: underLoad('slowReaders', [onSqlite]),
    options: { watchers: 1, slow: 200, perSecond: 25, fillSeconds: 4, seconds: 0.5 },
    quick: { fillSeconds: 3, seconds: 0.2 },
    takes: 10,
    isOnce: true,
    columns: [{ figure: 'kib', label: 'KiB of ours each' }],
    goals: [{ figure: 'kib', atMost: 64 }],
  },
  {
    name: 'W8',
    title: 'one more event in a job of 100,000 items, beside a job of one',
    contestants: underLoad('largeJob', [onSqlite]),
    options: { items: 100_000, events: 4_000 },
    quick: { events: 1_000 },
    takes: 4,
    isOnce: true,
    columns: [
      { figure: 'ratio', label: 'CPU ÷ CPU in a job of one' },
      { figure: 'cpuLarge', label: 'CPU-µs an event' },
      ...[0, 1, 10, 100, 1_000].map((k) => ({ figure: `resume${k}`, label: `CPU-µs to tell the last ${k} changes` })),
    ],
    goals: [{ figure: 'ratio', atMost: 1.2 }],
  },
  {
    name: 'W9',
    title: 'W1 on Deno',
    contestants: underLoad('fanOut', [onDenoSqlite, hono('Deno')]),
    options: { jobs: 1, watchers: 1_000, perSecond: 25, ...SELDOM },
    isOnce: true,
    columns: fanOut,
    goals: [{ figure: 'cpu', against: hono('Deno').name, atMost: 1 }],
  },
  {
    name: 'W9w',
    title: '1 job, 200 watchers, 25 events/s on workerd',
    contestants: underLoad('fanOut', [worker]),
    options: { jobs: 1, watchers: 200, perSecond: 25, ...STEADY },
    isOnce: true,
    columns: fanOut,
    goals: [],
  },
  {
    name: 'F',
    title: 'an event now and then, beside a principal that floods the server through 64 connections',
    contestants: underLoad('crowded', [onSqlite]),
    options: { publishers: 64, warmUp: 1, seconds: 1.5 },
    takes: 12,
    isOnce: true,
    columns: Object.entries(crowds).flatMap(([name, label]) =>
      [50, 99].map((percent) => ({ figure: `${name}${percent}`, label: `${label}, p${percent}, ms` })),
    ),
    goals: [],
  },
  {
    name: 'L',
    title: '1 job, 1 watcher, an event now and then',
    contestants: beside('quiet', [nchan]),
    options: { events: 100 },
    quick: { events: 25 },
    takes: 6,
    isOnce: true,
    columns: [
      { figure: 'acknowledged50', label: 'acknowledged, p50, ms' },
      { figure: 'acknowledged99', label: 'acknowledged, p99, ms' },
      { figure: 'sync50', label: "the disk's own sync, p50, ms" },
      { figure: 'sync99', label: "the disk's own sync, p99, ms" },
      { figure: 'beyond50', label: 'p50 beyond the sync, ms' },
      { figure: 'ratio99', label: 'p99 ÷ p99 of the sync' },
      { figure: 'p50', label: 'seen, p50, ms' },
      { figure: 'p99', label: 'seen, p99, ms' },
      { figure: 'lost', label: 'lost' },
    ],
    goals: [
      { figure: 'beyond50', atMost: 0.3 },
      { figure: 'ratio99', atMost: 2 },
    ],
  },
  ...nodeRows,
  {
    name: 'C',
    title: 'the open page of a job of 10,000 items, 5,000 events/s, in Chromium',
    contestants: [{ name: onSqlite.name, missing: missingBrowser, measure: browserFigures }],
    options: { items: 10_000, perSecond: 5_000, warmUp: 5, seconds: 7 },
    quick: { warmUp: 4, seconds: 4 },
    takes: 10,
    isOnce: true,
    columns: [
      { figure: 'busy', label: 'main thread busy, share of the time' },
      { figure: 'frame50', label: 'frames, p50, ms' },
      { figure: 'frame95', label: 'frames, p95, ms' },
      { figure: 'heapLast', label: 'JavaScript memory, KiB' },
      { figure: 'heapGrowth', label: 'its growth, %' },
      { figure: 'rate', label: 'events shown/s', isMoreBetter: true },
    ],
    goals: [
      { figure: 'busy', atMost: 0.5 },
      { figure: 'frame95', atMost: 50 },
      { figure: 'heapGrowth', atMost: 10 },
    ],
  },
  {
    name: 'K',
    title: 'what a progress bar costs a page',
    contestants: bundles,
    options: {},
    takes: 1,
    isOnce: true,
    columns: [{ figure: 'bytes', label: 'bytes, gzip' }],
    goals: [{ figure: 'bytes', atMost: 11_264 }],
  },
]
