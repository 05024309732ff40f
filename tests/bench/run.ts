/**
 * Milepost beside its peers, over real HTTP: `npm run bench -- [--quick] [--rounds N] [--peers NAME,…] [--json FILE] [ROW…]`.
 *
 * Each server is a process of its own on a core of its own, and so is the load generator. Peers take turns, so that all meet the same
 * weather; figures are medians of the rounds. Only figures of one run are worth comparing, and CPU time drifts least.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { betterSse } from './peers/better-sse.ts'
import { hono } from './peers/hono.ts'
import { mileposts } from './peers/milepost.ts'
import { nchan } from './peers/nchan.ts'
import { endWithUs, owned, type Peer, pinned } from './peers/peer.ts'
import { raw } from './peers/raw.ts'
import { worker } from './peers/worker.ts'
import { type Results, renderGoals, renderTables } from './report.ts'
import { type Row, rows } from './rows.ts'
import type { Figures } from './target.ts'

/** A load generator that takes longer than this hangs: milliseconds. */
const PATIENCE_MS = 60_000

endWithUs()

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    peers: { type: 'string' },
    json: { type: 'string' },
  },
})
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
const all: Peer[] = [...mileposts, hono('Bun'), hono('Deno'), betterSse('Bun'), betterSse('Node'), nchan, raw, worker]
const wanted = flags.peers?.toLowerCase().split(',')
const peers = all.filter(({ name }) => wanted?.some((word) => name.toLowerCase().includes(word)) ?? true)
const chosen = positionals.length === 0 ? rows : rows.filter(({ name }) => positionals.includes(name))
if (chosen.length === 0) throw new Error(`There are the rows ${rows.map(({ name }) => name).join(', ')}`)

const absent = new Map(peers.flatMap((peer) => (peer.missing() ? [[peer.name, peer.missing() ?? '']] : [])))
const present = peers.filter(({ name }) => !absent.has(name))
for (const [name, reason] of absent) console.error(`${name} is not run: ${reason}.`)

const results: Results = new Map()
for (let round = 0; round < rounds; round++) {
  for (const row of chosen) {
    for (const peer of present) {
      if (!takesPart(row, peer)) continue
      console.error(`round ${round + 1} of ${rounds}: ${row.name}, ${peer.name}`)
      const of = results.get(row.name) ?? new Map<string, Figures[]>()
      results.set(row.name, of)
      of.set(peer.name, [...(of.get(peer.name) ?? []), await measure(row, peer)])
    }
  }
}

const about = {
  at: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
  runtime: `Bun ${Bun.version}`,
  rounds,
  pinned: Bun.which('taskset') !== null && cpus().length > 1,
}
const figures = Object.fromEntries([...results].map(([row, of]) => [row, Object.fromEntries(of)]))
if (flags.json)
  await Bun.write(flags.json, JSON.stringify({ ...about, absent: Object.fromEntries(absent), figures }, null, 2))
console.log(`${about.at.slice(0, 10)}, ${about.machine}, ${about.runtime}; medians of ${rounds} rounds; servers ${about.pinned ? '' : 'not '}pinned to one core.
In brackets: the first column divided by this one.

${renderTables(chosen, results)}
${[...absent].map(([name, reason]) => `\n${name} was not run: ${reason}.\n`).join('')}

${renderGoals(chosen, results)}`)

function takesPart({ peers: whom }: Row, { name, runtime }: Peer): boolean {
  // A quick run compares with the peers, and with no other engine.
  if (flags.quick && name === 'Milepost, memory') return false
  const elsewhere = runtime === 'Deno' || runtime === 'workerd'
  if (whom === 'Deno' || whom === 'workerd' || elsewhere) return whom === runtime
  return whom === 'all' || name === 'Milepost, sqlite'
}

/** One run of a row against a server started for it. */
async function measure(row: Row, peer: Peer): Promise<Figures> {
  const { target, stop } = await peer.start()
  try {
    const options = { ...row.options, ...(flags.quick ? { seconds: 1, warmUp: 0.7, ...row.quick } : {}) }
    const task = JSON.stringify({ workload: row.workload, target, options })
    const child = owned(
      Bun.spawn(pinned('load', [process.execPath, 'tests/bench/load/main.ts', task]), {
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: PATIENCE_MS,
      }),
    )
    const output = await new Response(child.stdout).text()
    if ((await child.exited) !== 0) throw new Error(`${row.name} failed against ${peer.name}`)
    return JSON.parse(output)
  } finally {
    await stop()
  }
}
