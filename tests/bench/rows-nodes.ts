import { nchanNodes } from './peers/nchan.ts'
import { milepostNodes, nodeWithoutStore, redisAlone } from './peers/nodes.ts'
import { type Contestant, type Row, rate } from './row.ts'
import { extra, underLoad } from './under-load.ts'

/** As many events as nodes of one Redis acknowledge. */
const onNodes = (name: string, batch: number, beside: Contestant[], title: string, goals: Row['goals']): Row => ({
  name,
  title: `64 producers, ${title}; no server is pinned to a core`,
  contestants: [
    ...underLoad('nodePublishes', [milepostNodes(1)]),
    ...beside,
    ...extra(underLoad('nodePublishes', [2, 3].map(milepostNodes))),
  ],
  options: { publishers: 64, batch, warmUp: 2, seconds: 2 },
  takes: 3,
  isOnce: true,
  columns: [
    rate,
    { figure: 'cpu', label: 'CPU-µs of the nodes an event' },
    { figure: 'redisCpu', label: 'CPU-µs of Redis an event' },
  ],
  goals,
})

/** Several processes on one Redis. */
export const nodeRows: readonly Row[] = [
  {
    name: 'R',
    title: '1 job, 2 nodes on one Redis, a watcher on each, an event now and then',
    contestants: underLoad('acrossNodes', [milepostNodes(2), nchanNodes]),
    options: { events: 100 },
    quick: { events: 50 },
    takes: 7,
    isOnce: true,
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
  onNodes(
    'Re',
    1,
    underLoad('scriptAlone', [redisAlone]),
    'an event a request, on nodes of one Redis, beside what its script alone can do',
    [{ figure: 'rate', atLeast: 15_000 }],
  ),
  // The script alone has no HTTP, no JSON and no fold. A node without a store has these and nothing else.
  onNodes(
    'Reb',
    100,
    underLoad('nodePublishes', [nodeWithoutStore]),
    '100 events a request, on nodes of one Redis, beside a node that stores nothing',
    [{ figure: 'rate', against: nodeWithoutStore.name, atLeast: 0.9 }],
  ),
  {
    name: 'Rj',
    title: '2,000 jobs with a watcher each on one node of a Redis, published to on another, 2,000 events/s',
    contestants: underLoad('watchedElsewhere', [milepostNodes(2)]),
    options: { jobs: 2_000, perSecond: 2_000, restSeconds: 3, warmUp: 2, seconds: 3 },
    quick: { restSeconds: 2 },
    takes: 9,
    isOnce: true,
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
    name: 'Rm',
    title: 'memory of Redis, by its own count: bytes of each part of a job',
    contestants: extra(underLoad('redisMemory', [milepostNodes(1)])),
    options: { jobs: 1_000, items: 100_000 },
    quick: { jobs: 200, items: 10_000 },
    takes: 15,
    isOnce: true,
    columns: [
      { figure: 'job', label: 'a job, with its places in lists' },
      { figure: 'item', label: 'an item with 50 characters of text, in a job of 100' },
      { figure: 'largeItem', label: 'the same, in a job of 100,000' },
      { figure: 'line', label: 'a log line of 60 characters' },
      { figure: 'firstKey', label: 'the first idempotency key of a job' },
      { figure: 'key', label: 'another one, to 50' },
      { figure: 'manyKeys', label: 'another one, from 51 to 256' },
      { figure: 'subscription', label: 'a job that a node watches: its subscription' },
    ],
    goals: [],
  },
]
