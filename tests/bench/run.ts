/**
 * A first measure of the whole way, over real HTTP and a durable store: `bun tests/bench/run.ts [seconds]`.
 *
 * The server is a process of its own, and so is this load generator, which reads raw bytes from raw sockets. Figures are of the machine
 * that it runs on, and drift with what else that does: compare runs, not machines.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from 'hono/jwt'
import { measureDeliveries } from './deliveries.ts'
import { measurePublishes } from './publishes.ts'

const seconds = Number(process.argv[2] ?? 3)
const secret = 'a-secret-for-the-bench-alone-of-32-bytes-or-more'
const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
const server = Bun.spawn([process.execPath, 'server/cli/main.ts', 'serve'], {
  env: { ...process.env, PORT: '0', MILEPOST_SECRET: secret, MILEPOST_ENGINE: `sqlite:${join(folder, 'jobs.db')}` },
  stdout: 'pipe',
})

try {
  const token = await sign({ sub: 'bench', scope: 'jobs:read jobs:write' }, secret, 'HS256')
  const target = { port: await portOf(server.stdout), token }
  const publishes = await measurePublishes(target, { publishers: 64, batch: 1, seconds })
  const batches = await measurePublishes(target, { publishers: 16, batch: 100, seconds })
  const deliveries = await measureDeliveries(target, { watchers: 1_000, perSecond: 200, seconds })
  const result = {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    bun: Bun.version,
    engine: 'sqlite, synchronous=FULL',
    publishesPerSecond: Math.round(publishes.events),
    eventsPerSecondInBatchesOf100: Math.round(batches.events),
    deliveriesPerSecond: Math.round(deliveries.events),
    messagesPerSecond: Math.round(deliveries.messages),
    lost: deliveries.lost,
  }
  console.log(JSON.stringify(result, null, 2))
  console.table({
    'publishes/s, durable, 64 publishers': result.publishesPerSecond,
    'events/s, durable, batches of 100': result.eventsPerSecondInBatchesOf100,
    'deliveries/s, 1 job × 1,000 watchers, 200 events/s': result.deliveriesPerSecond,
    'messages/s that carried them': result.messagesPerSecond,
    'events lost': result.lost,
  })
} finally {
  server.kill()
  await server.exited
  await rm(folder, { recursive: true })
}

/** The port in the line that the server prints when it listens. */
async function portOf(stdout: ReadableStream<Uint8Array>): Promise<number> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true })
    const port = /http:\/\/[^:/]+:([0-9]+)\//.exec(text)?.[1]
    if (port) return Number(port)
  }
  throw new Error('The server ended before it listened.')
}
