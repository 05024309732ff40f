/**
 * Milepost beside its peers, over real HTTP, in Chromium and in bytes:
 * `npm run bench -- [--quick] [--rounds N] [--peers NAME,…] [--json FILE] [--from FILE] [--readme] [ROW…]`.
 *
 * Each server is a process of its own on a core of its own, and so is the load generator; one is measured at a time. Peers take turns, so
 * that all meet the same weather; figures are medians of the rounds. Only figures of one run are worth comparing, and CPU time drifts
 * least. With `--from` it measures nothing, and prints what an earlier run wrote with `--json`; with `--readme` the tables go into
 * RESULTS.md.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { placeBetween } from '../marks.ts'
import { renderGrowth, slopesOf } from './growth.ts'
import { measure, tasksOf } from './measure.ts'
import { endWithUs } from './peers/peer.ts'
import { renderReadmeTable, renderRun } from './readme-table.ts'
import { renderGoals, renderTables } from './report.ts'
import { type Results, type Run, readResults, writeResults } from './results.ts'
import { rows as peerRows } from './rows.ts'
import { allSeries } from './series.ts'
import { versions } from './versions.ts'

endWithUs()

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    peers: { type: 'string' },
    json: { type: 'string' },
    from: { type: 'string' },
    readme: { type: 'boolean', default: false },
  },
})
const seriesRows = Object.values(allSeries).map(({ row }) => row)
const rows = [...peerRows, ...seriesRows]
const unknown = positionals.filter((name) => !rows.some((row) => row.name === name))
if (unknown.length > 0) throw new Error(`No row ${unknown}: there are ${rows.map(({ name }) => name).join(', ')}`)

const run: Run = flags.from ? await Bun.file(flags.from).json() : await measureAll()
const results = readResults(run.figures)
const slopes = slopesOf(results)
if (flags.json) await Bun.write(flags.json, JSON.stringify({ ...run, slopes }, null, 2))
const missing = Object.entries({ ...run.absent, ...run.failed })
const growth = renderGrowth(results)
console.log(
  [
    renderRun(run),
    'In brackets: the first column divided by this one.',
    renderTables(rows, results),
    ...missing.map(([name, reason]) => `${name} was not measured: ${reason}.`),
    renderGoals(rows, results),
    growth,
  ].join('\n\n'),
)
if (flags.readme) {
  const table = renderReadmeTable(peerRows, results)
  if (table) await place('bench', `${renderRun(run)}\n\n${table}`)
  if (Object.keys(slopes).length > 0)
    await place(
      'slopes',
      `${renderRun({ ...run, rounds: 1, versions: run.versions.split(',')[0] ?? '' })}\n\n${growth}`,
    )
}
process.exit(Object.keys(run.failed).length > 0 ? 1 : 0)

async function measureAll(): Promise<Run> {
  const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
  const wanted = flags.peers?.toLowerCase().split(',')
  const chosen = positionals.length === 0 ? rows : rows.filter(({ name }) => positionals.includes(name))
  const tasks = tasksOf(chosen, rounds, ({ name, of = '' }) => {
    const called = `${of} ${name}`.toLowerCase()
    return wanted?.some((word) => called.includes(word)) ?? true
  })
  const absent = Object.fromEntries(
    tasks.flatMap(({ contestant }) => {
      const reason = contestant.missing()
      return reason === undefined ? [] : [[contestant.name, reason]]
    }),
  )
  for (const [name, reason] of Object.entries(absent)) console.error(`${name} is not measured: ${reason}.`)
  const present = tasks.filter(({ contestant }) => contestant.missing() === undefined)
  const found: Results = new Map()
  const failed = await measure(present, flags.quick, found, console.error)
  return {
    at: new Date().toISOString(),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    versions: await versions(),
    rounds,
    isQuick: flags.quick,
    pinned: Bun.which('taskset') !== null && cpus().length > 1,
    absent,
    failed,
    figures: writeResults(found),
  }
}

async function place(mark: string, text: string): Promise<void> {
  const path = 'tests/bench/RESULTS.md'
  await Bun.write(path, placeBetween(await Bun.file(path).text(), mark, text))
  console.error(`${path} has what was found.`)
}
