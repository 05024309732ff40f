import { nchanNodes } from './peers/nchan.ts'
import { milepostNodes, redisAlone } from './peers/nodes.ts'
import { type Row, rate } from './row.ts'
import { extra, underLoad } from './under-load.ts'

/** As many events as nodes of one Redis acknowledge, beside what Redis does of the same. */
const onNodes = (name: string, batch: number, goals: Row['goals']): Row => ({
  name,
  title: `64 producers, ${batch === 1 ? 'an event' : `${batch} events`} a request, on nodes of one Redis; no server is pinned to a core`,
  contestants: [
    ...underLoad('nodePublishes', [milepostNodes(1)]),
    ...underLoad('scriptAlone', [redisAlone]),
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
  onNodes('Re', 1, [{ figure: 'rate', atLeast: 15_000 }]),
  onNodes('Reb', 100, [{ figure: 'rate', against: redisAlone.name, atLeast: 0.9 }]),
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
]
