import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'

/** Events of a request. */
const BATCH = 1_000
const TEXT = 'x'.repeat(200)

/**
 * Memory of Redis for each part of a job, by its own count (`used_memory`, without what its connections buffer): bytes. Rm.
 *
 * @param options `jobs` of each kind; `items` of the large one
 */
export async function redisMemory(target: Target, options: Options): Promise<Figures> {
  const { jobs: count = 1, items: largest = 1 } = options
  const publishers = await Publishers.open(target, 16)
  const makeJobs = (kind: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => LoadJob.create(target, publishers, `${kind}-${n}`)))
  const port = target.redis?.port ?? 0
  /** What a piece of work adds, for each of so many. */
  const added = async (work: () => Promise<unknown>, pieces: number) => {
    const before = usedMemory(port)
    await work()
    return (usedMemory(port) - before) / pieces
  }
  const each = (jobs: readonly LoadJob[], work: (job: LoadJob) => Promise<unknown>) => Promise.all(jobs.map(work))
  // What there is only once: scripts, connections, the lists of the owner.
  await makeJobs('first', 10)

  const jobs: LoadJob[] = []
  const job = await added(async () => jobs.push(...(await makeJobs('plain', count))), count)
  const watchers = new Watchers(target)
  const subscription = await added(() => watchers.open(jobs, 1), count)
  const some = await makeJobs('items', count / 10)
  const item = await added(() => each(some, (one) => send(one, 100, itemEvent)), some.length * 100)
  const [large] = await makeJobs('large', 1)
  const largeItem = await added(() => (large ? send(large, largest, itemEvent) : Promise.resolve()), largest)
  const logged = await makeJobs('logs', count / 10)
  const line = await added(() => each(logged, (one) => send(one, 200, lineEvent)), logged.length * 200)
  const keyed = await makeJobs('keys', count / 10)
  const use = (first: number, last: number) => async (one: LoadJob) => {
    for (let n = first; n <= last; n++) await publishers.send(keyedRequest(target, one.id, n))
  }
  const firstKey = await added(() => each(keyed, use(1, 1)), keyed.length)
  const key = await added(() => each(keyed, use(2, 50)), keyed.length * 49)
  const manyKeys = await added(() => each(keyed, use(51, 256)), keyed.length * 206)
  return { job, item, largeItem, line, firstKey, key, manyKeys, subscription }
}

async function send(job: LoadJob, count: number, event: (number: number) => object): Promise<void> {
  for (let first = 0; first < count; first += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) => event(first + index))
    await job.send(JSON.stringify(events), events.length)
  }
}

/** An item with a text of 50 characters. */
const itemEvent = (n: number) => ({ type: 'item', id: `item-${n}`, status: 'running', label: TEXT.slice(0, 50) })

/** A log line of 60 characters. */
const lineEvent = () => ({ type: 'log', message: TEXT.slice(0, 60) })

/** A request with an idempotency key of 36 characters. */
function keyedRequest(target: Target, id: string, n: number): Uint8Array {
  const key = `${n}`.padStart(36, '0')
  const path = target.publishPath.replace('{job}', id)
  return requestBytes(target, 'POST', path, JSON.stringify({ type: 'progress', done: n }), key)
}

function usedMemory(port: number): number {
  const text = Bun.spawnSync(['redis-cli', '-p', `${port}`, 'INFO', 'memory']).stdout.toString()
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1])
  return field('used_memory') - field('mem_clients_normal')
}
