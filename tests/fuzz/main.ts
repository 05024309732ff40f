/** Asks a server in this process, and one behind real sockets, for all kinds of things: `bun tests/fuzz/main.ts --requests 1000000 --seed 1`. */
import { parseArgs } from 'node:util'
import { MemoryEngine } from '../../server/engines/memory.ts'
import { fuzz } from './fuzz.ts'
import { fuzzConnections } from './raw.ts'
import { fuzzStored } from './stored.ts'
import { worldLimits } from './world/world.ts'

/** Of so many requests, one more is a connection of its own to a real server: they take longer. */
const CONNECTIONS = 20
/** Of so many, one more is a file of a store that is damaged. */
const FILES = 2_000

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  },
})
const seed = Number(values.seed)
const requests = Number(values.requests)
console.log(`${requests} requests, seed ${seed}`)
const began = performance.now()
const counts = await fuzz({
  engine: new MemoryEngine({ limits: worldLimits }),
  seed,
  requests,
  onProgress: (made) =>
    console.log(
      `${made} requests after ${Math.round((performance.now() - began) / 1_000)} s, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`,
    ),
})
for (const [outcome, count] of [...counts].sort()) console.log(`${outcome}: ${count}`)

const connections = Math.ceil(requests / CONNECTIONS)
console.log(`${connections} connections`)
for (const [status, count] of [...(await fuzzConnections({ seed, connections }))].sort())
  console.log(`${status}: ${count}`)

const files = Math.ceil(requests / FILES)
console.log(`${files} damaged files`)
const { refused, statuses } = await fuzzStored({ seed, files })
console.log(`refused: ${refused}`)
for (const [status, count] of [...statuses].sort()) console.log(`${status}: ${count}`)
