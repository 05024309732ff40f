/**
 * How long a job of 100,000 items keeps the event loop from others, by what is done with it: `bun tests/bench/event-loop.ts`.
 *
 * The server is a process of its own, which measures itself. A turn of the loop is measured in CPU time of its thread, for on a machine that
 * is shared a turn takes as long as others like.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from 'hono/jwt'
import { median } from './results.ts'

const ITEMS = 100_000
const BATCH = 1_000
const RUNS = 7
const SECRET = 'a-secret-for-the-bench-alone-of-32-bytes-or-more'

/** What the server says of itself: milliseconds. */
interface Longest {
  /** The longest turn, in CPU time and in time. */
  cpu: number
  wall: number
}

if (process.argv[2] === 'serve') await serveMeasured()
else await measure()

/** The server. Each message asks for the longest turn since the last one. */
async function serveMeasured(): Promise<void> {
  const longest: Longest = { cpu: 0, wall: 0 }
  const cpuNow = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  let [cpu, wall] = [cpuNow(), performance.now()]
  const turn = () => {
    const [cpuBefore, wallBefore] = [cpu, wall]
    ;[cpu, wall] = [cpuNow(), performance.now()]
    longest.cpu = Math.max(longest.cpu, cpu - cpuBefore)
    longest.wall = Math.max(longest.wall, wall - wallBefore)
    setTimeout(turn, 0)
  }
  turn()
  process.on('message', () => {
    process.send?.({ ...longest })
    Object.assign(longest, { cpu: 0, wall: 0 })
  })
  const { serve } = await import('../../server/entries/bun.ts')
  await serve(process.env)
}

async function measure(): Promise<void> {
  // The server serves what is built, and nobody else builds it here.
  await import('../../server/cli/build/build.ts')
  const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
  const listens = Promise.withResolvers<string>()
  let answer: ((longest: Longest) => void) | undefined
  const server = Bun.spawn([process.execPath, import.meta.path, 'serve'], {
    env: {
      ...process.env,
      PORT: '0',
      HOST: '127.0.0.1',
      MILEPOST_SECRET: SECRET,
      MILEPOST_ENGINE: `sqlite:${folder}/db`,
    },
    stdout: 'pipe',
    ipc: (message: Longest) => answer?.(message),
  })
  void readUrl(server.stdout, listens.resolve)
  const url = await listens.promise
  const longest = () =>
    new Promise<Longest>((resolve) => {
      answer = resolve
      server.send('longest')
    })

  const exp = Math.floor(Date.now() / 1_000) + 3_600
  const token = await sign({ sub: 'bench', scope: 'jobs:read jobs:write', exp }, SECRET, 'HS256')
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }
  const items = (from: number, count: number, status: string) =>
    Array.from({ length: count }, (_, index) => ({
      type: 'item',
      id: `item-${from + index}`,
      label: `Contact number ${from + index}`,
      status,
    }))
  const publish = async (events: unknown) => (await ask('POST', 'api/jobs/large/events', events)).text()
  const read = async (path: string) => (await ask('GET', path)).text()
  /** Reads a stream until it has sent all that there was, and then what comes of an act. */
  const openStream = async (path: string, act?: () => Promise<unknown>) => {
    const response = await ask('GET', path)
    const decoder = new TextDecoder()
    let end = ''
    let acting: Promise<unknown> | undefined
    for await (const chunk of response.body ?? []) {
      if (acting) break
      end = (end + decoder.decode(chunk, { stream: true })).slice(-400)
      if (!/^event: ping$/m.test(end)) continue
      if (!act) break
      acting = act()
    }
    await acting
  }
  const create = async () => {
    await ask('POST', 'api/jobs', { id: 'large', kind: 'bench', title: 'Large' })
    await publish({ type: 'status', status: 'running' })
    for (let from = 0; from < ITEMS; from += BATCH) await publish(items(from, BATCH, 'pending'))
  }

  const acts: [name: string, act: () => Promise<unknown>][] = [
    ['nothing, for a second', () => Bun.sleep(1_000)],
    ['`GET /api/jobs/:id`', () => read('api/jobs/large')],
    ['`GET /api/jobs/:id?parts=header`', () => read('api/jobs/large?parts=header')],
    ['`GET /api/jobs/:id?since=`, half of it', () => read(`api/jobs/large?since=${epoch}-${ITEMS / 2}`)],
    ['`GET /api/jobs/:id?since=`, the last 1,000', () => read(`api/jobs/large?since=${epoch}-${ITEMS - 1_000}`)],
    ['`GET /api/jobs/:id/progress`', () => openStream('api/jobs/large/progress')],
    [
      'the same, ten at once',
      () => Promise.all(Array.from({ length: 10 }, () => openStream('api/jobs/large/progress'))),
    ],
    ['`GET /api/progress?job=`', () => openStream('api/progress?job=large')],
    [
      'one event, watched',
      () => openStream(`api/jobs/large/progress?since=${epoch}-${ITEMS}`, () => publish(items(7, 1, 'running'))),
    ],
    [
      'a batch of 1,000 of its items, watched',
      () => openStream(`api/jobs/large/progress?since=${epoch}-${ITEMS}`, () => publish(items(0, BATCH, 'succeeded'))),
    ],
    [
      '`DELETE /api/jobs/:id`, and the second after',
      async () => {
        await ask('DELETE', 'api/jobs/large')
        await Bun.sleep(1_000)
      },
    ],
  ]
  const results = new Map<string, Longest[]>(acts.map(([name]) => [name, []]))
  let epoch = ''
  for (let run = -1; run < RUNS; run++) {
    await create()
    epoch = (JSON.parse(await read('api/jobs/large?parts=header')) as { epoch: string }).epoch
    for (const [name, act] of acts) {
      await Bun.sleep(100)
      await longest()
      await act()
      const found = await longest()
      // What is compiled at first is not what it is like.
      if (run >= 0) results.get(name)?.push(found)
    }
  }
  server.kill()
  await server.exited
  await rm(folder, { recursive: true })

  console.log('| | CPU, median | CPU, at most | time, median |\n| --- | ---: | ---: | ---: |')
  const figure = (value: number) => value.toFixed(1)
  for (const [name, all] of results) {
    const cpus = all.map(({ cpu }) => cpu)
    const walls = all.map(({ wall }) => wall)
    console.log(`| ${name} | ${figure(median(cpus))} | ${figure(Math.max(...cpus))} | ${figure(median(walls))} |`)
  }
}

async function readUrl(output: ReadableStream<Uint8Array>, found: (url: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true })
    const url = /listens on (http:\/\/\S+)/.exec(text)?.[1]
    if (url) found(url)
  }
}
