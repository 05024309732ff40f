import { missingBrowser } from '../support/chromium.ts'
import { browserFigures } from './client/browser.ts'
import { bundles } from './client/bundle-size.ts'
import { betterSse } from './peers/better-sse.ts'
import { hono } from './peers/hono.ts'
import { onDenoSqlite, onMemory, onSqlite } from './peers/milepost.ts'
import { nchan, nchanNodes } from './peers/nchan.ts'
import { milepostNodes, redisAlone } from './peers/nodes.ts'
import type { Peer } from './peers/peer.ts'
import { raw } from './peers/raw.ts'
import { onSlowDisk } from './peers/slow-disk.ts'
import { worker } from './peers/worker.ts'
import type { Row } from './row.ts'
import type { Options } from './target.ts'
import { underLoad } from './under-load.ts'

const peers = [hono('Bun'), betterSse('Bun'), betterSse('Node'), nchan, raw]
/** For work that costs the same with any engine, and for work in which publishing counts. */
const everyone = [onSqlite, ...peers]
const everyEngine = [onSqlite, onMemory, ...peers]

const NCHAN = nchan.name
const HONO = hono('Bun').name

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
const fanOut = [cpu, ...latency, ...correctness]
const rate = { figure: 'rate', label: 'events acknowledged/s', isMoreBetter: true }
const cpuEvent = { figure: 'cpu', label: 'CPU-s per million events' }

/** Long enough for every runtime to have compiled what is hot, so that what is measured is the steady state: seconds. */
const STEADY = { warmUp: 4, seconds: 4 }
/** The same where too little is published for that: another job is published to as well, until the measure begins. */
const SELDOM = { ...STEADY, hotPerSecond: 2_000 }
/** The same for who is asked for all that they can do. */
const FULL = { warmUp: 2, seconds: 3 }

/** What a principal floods the server with in row F. */
const crowds = {
  alone: 'alone',
  batches: 'batches of 1,000 events',
  items: 'batches of 1,000 items',
  bodies: 'bodies of 1 MiB',
  creates: 'creations',
}

/** As many events as nodes of one Redis acknowledge, beside what Redis does of the same. */
const onNodes = (name: string, batch: number, goals: Row['goals']): Row => ({
  name,
  title: `64 producers, ${batch === 1 ? 'an event' : `${batch} events`} a request, on nodes of one Redis; no server is pinned to a core`,
  contestants: [...underLoad('nodePublishes', [1, 2, 3].map(milepostNodes)), ...underLoad('scriptAlone', [redisAlone])],
  options: { publishers: 64, batch, ...FULL },
  quick: { warmUp: 2, seconds: 2 },
  takes: 4,
  columns: [
    rate,
    { figure: 'cpu', label: 'CPU-µs of the nodes an event' },
    { figure: 'redisCpu', label: 'CPU-µs of Redis an event' },
  ],
  goals,
})

/** 64 producers and a disk: what others wait meanwhile, who have nothing to do with what is written. */
const onDisk = (name: string, disk: Peer, options: Options): Row => ({
  name,
  title: `W5, and others who ask meanwhile; ${name === 'D' ? 'the disk as it is' : disk.name.split(', ').at(-1)}`,
  contestants: underLoad('slowDisk', [disk]),
  options: { publishers: 64, warmUp: 2, ...options },
  quick: { seconds: 2, askSeconds: 5 },
  takes: 8,
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
    contestants: underLoad('fanOut', everyone),
    options: { jobs: 1, watchers: 1_000, perSecond: 25, ...SELDOM },
    columns: fanOut,
    goals: [
      { figure: 'cpu', against: NCHAN, atMost: 0.85 },
      { figure: 'cpu', against: HONO, atMost: 0.6 },
      { figure: 'p99', against: NCHAN, atMost: 1 },
    ],
  },
  {
    name: 'Wb',
    title: '1 job, 100 watchers, 500 events/s in bursts of 10',
    contestants: underLoad('fanOut', everyone),
    options: { jobs: 1, watchers: 100, perSecond: 500, burst: 10, ...SELDOM },
    columns: fanOut,
    goals: [{ figure: 'cpu', against: NCHAN, atMost: 0.3 }],
  },
  {
    name: 'W2',
    title: '1,000 jobs, 1 watcher each, 5 events/s each',
    contestants: underLoad('fanOut', everyEngine),
    options: { jobs: 1_000, watchers: 1, perSecond: 5_000, ...STEADY },
    columns: fanOut,
    goals: [{ figure: 'cpu', against: HONO, atMost: 1.25 }],
  },
  {
    name: 'W3',
    title: '1 job, 1,000 watchers, as many events as it takes from 8 producers',
    contestants: underLoad('flood', everyEngine),
    options: { watchers: 1_000, publishers: 8, ...FULL },
    columns: [{ figure: 'rate', label: 'events seen/s', isMoreBetter: true }, cpu, ...latency, ...correctness],
    goals: [
      { figure: 'rate', against: NCHAN, atLeast: 10 },
      { figure: 'p99', atMost: 100 },
    ],
  },
  {
    name: 'W4',
    title: '9,900 watchers with nothing to do',
    contestants: underLoad('connects', everyone),
    options: { watchers: 9_800 },
    takes: 6,
    quick: { restSeconds: 0.5 },
    columns: [
      { figure: 'kib', label: 'KiB each' },
      { figure: 'kernelKib', label: 'KiB of the kernel each' },
    ],
    goals: [{ figure: 'kib', against: NCHAN, atMost: 0.65 }],
  },
  {
    name: 'W5',
    title: '64 producers, an event a request',
    contestants: underLoad('publishes', everyEngine),
    options: { publishers: 64, batch: 1, ...FULL },
    columns: [rate, cpuEvent],
    goals: [{ figure: 'rate', against: HONO, atLeast: 0.6 }],
  },
  {
    name: 'W5b',
    title: '64 producers, 100 events a request',
    contestants: underLoad('publishes', [onSqlite]),
    options: { publishers: 64, batch: 100, ...FULL },
    columns: [rate, cpuEvent],
    goals: [{ figure: 'rate', againstRow: 'W5', atLeast: 6 }],
  },
  onDisk('D', onSqlite, { seconds: 3, askSeconds: 6 }),
  // Longer, so that SQLite has moved its log into the file meanwhile.
  onDisk('D50', onSlowDisk(50), { seconds: 5, askSeconds: 15 }),
  onDisk('D400', onSlowDisk(400), { seconds: 8, askSeconds: 30 }),
  {
    name: 'W6',
    title: '5,000 connects, until each has its first state',
    contestants: underLoad('connects', everyone),
    options: { watchers: 5_000, restSeconds: 0.2 },
    columns: [
      { figure: 'seconds', label: 's' },
      { figure: 'rate', label: 'connects/s', isMoreBetter: true },
      { figure: 'cpu', label: 'CPU-s per million connects' },
    ],
    goals: [{ figure: 'seconds', against: NCHAN, atMost: 0.6 }],
  },
  {
    name: 'W7',
    title: '1,000 watchers, 25 events/s, and 10 watchers that never read',
    contestants: underLoad('slowReaders', [onSqlite]),
    options: { watchers: 1_000, slow: 10, perSecond: 25, fillSeconds: 5, seconds: 3 },
    quick: { fillSeconds: 2 },
    takes: 16,
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
    options: { watchers: 1, slow: 200, perSecond: 25, fillSeconds: 6, seconds: 0.5 },
    quick: { fillSeconds: 3, seconds: 0.2 },
    takes: 18,
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
    columns: fanOut,
    goals: [{ figure: 'cpu', against: hono('Deno').name, atMost: 1 }],
  },
  {
    name: 'W9w',
    title: '1 job, 200 watchers, 25 events/s on workerd',
    contestants: underLoad('fanOut', [worker]),
    options: { jobs: 1, watchers: 200, perSecond: 25, ...STEADY },
    columns: fanOut,
    goals: [],
  },
  {
    name: 'F',
    title: 'an event now and then, beside a principal that floods the server through 64 connections',
    contestants: underLoad('crowded', [onSqlite]),
    options: { publishers: 64, warmUp: 1, seconds: 4 },
    takes: 22,
    isOnce: true,
    columns: Object.entries(crowds).flatMap(([name, label]) =>
      [50, 99].map((percent) => ({ figure: `${name}${percent}`, label: `${label}, p${percent}, ms` })),
    ),
    goals: [],
  },
  {
    name: 'L',
    title: '1 job, 1 watcher, an event now and then',
    contestants: underLoad('quiet', everyEngine),
    options: { events: 100 },
    quick: { events: 25 },
    takes: 6,
    columns: [
      { figure: 'acknowledged50', label: 'acknowledged, p50, ms' },
      { figure: 'acknowledged99', label: 'acknowledged, p99, ms' },
      { figure: 'p50', label: 'seen, p50, ms' },
      { figure: 'p99', label: 'seen, p99, ms' },
      { figure: 'lost', label: 'lost' },
    ],
    goals: [],
  },
  {
    name: 'R',
    title: '1 job, 2 nodes on one Redis, a watcher on each, an event now and then',
    contestants: underLoad('acrossNodes', [milepostNodes(2), nchanNodes]),
    options: { events: 200 },
    quick: { events: 50 },
    takes: 12,
    columns: [
      { figure: 'near50', label: 'seen on the same node, p50, ms' },
      { figure: 'near99', label: 'p99, ms' },
      { figure: 'far50', label: 'seen on the other node, p50, ms' },
      { figure: 'far99', label: 'p99, ms' },
      { figure: 'further50', label: 'p50 beyond the same node, ms' },
      { figure: 'lost', label: 'lost' },
    ],
    goals: [{ figure: 'further50', atMost: 2 }],
  },
  onNodes('Re', 1, [{ figure: 'rate', atLeast: 15_000 }]),
  onNodes('Reb', 100, [{ figure: 'rate', against: redisAlone.name, atLeast: 0.9 }]),
  {
    name: 'Rj',
    title: '2,000 jobs with a watcher each on one node of a Redis, published to on another, 2,000 events/s',
    contestants: underLoad('watchedElsewhere', [milepostNodes(2)]),
    options: { jobs: 2_000, perSecond: 2_000, restSeconds: 5, ...STEADY },
    quick: { restSeconds: 2 },
    takes: 15,
    columns: [
      { figure: 'kib', label: 'KiB of the watching node a job, its watcher included' },
      { figure: 'redisKib', label: 'KiB of Redis a job' },
      { figure: 'idle', label: 'CPU-µs a second, when nothing happens' },
      { figure: 'cpu', label: 'CPU-µs of the watching node an event' },
      { figure: 'lost', label: 'lost' },
    ],
    goals: [],
  },
  {
    name: 'C',
    title: 'the open page of a job of 10,000 items, 5,000 events/s, in Chromium',
    contestants: [{ name: onSqlite.name, missing: missingBrowser, measure: browserFigures }],
    options: { items: 10_000, perSecond: 5_000, warmUp: 15, seconds: 20 },
    quick: { warmUp: 4, seconds: 4 },
    takes: 10,
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
    columns: [{ figure: 'bytes', label: 'bytes, gzip' }],
    goals: [{ figure: 'bytes', atMost: 11_264 }],
  },
]
