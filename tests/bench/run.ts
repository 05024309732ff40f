/**
 * Milepost beside its peers, over real HTTP, in Chromium and in bytes:
 * `npm run bench -- [--quick] [--rounds N] [--peers NAME,…] [--all] [--json FILE] [--resume] [--from FILE] [--readme] [ROW…]`.
 *
 * Each server is a process of its own on a core of its own, and so is the load generator; one is measured at a time. Peers take turns, so
 * that all meet the same weather; figures are medians of the rounds. Only figures of one run are worth comparing, and CPU time drifts
 * least. Peers that no goal names take part with `--all`, and when they or the row are named.
 *
 * All measurements are saved after each, in a file that `--json` names. A signal ends the run, which prints what it has; `--resume`
 * continues with the file. With `--from` it measures nothing, and prints what an earlier run saved; with `--readme` the tables go into
 * RESULTS.md.
 */
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { placeBetween } from '../marks.ts'
import { renderGrowth, slopesOf } from './growth.ts'
import { measure, remaining, tasksOf } from './measure.ts'
import { countMachineUse, renderNoise } from './noise.ts'
import { endWithUs } from './peers/peer.ts'
import { renderReadmeTable, renderRun } from './readme-table.ts'
import { renderGoals, renderTables } from './report.ts'
import { type Run, readResults, writeResults } from './results.ts'
import { rows as peerRows, ROUNDS } from './rows.ts'
import { allSeries } from './series.ts'
import { versions } from './versions.ts'

const interruption = new AbortController()
endWithUs(() => interruption.abort())

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    peers: { type: 'string' },
    all: { type: 'boolean', default: false },
    json: { type: 'string', default: join(tmpdir(), 'milepost-bench.json') },
    resume: { type: 'boolean', default: false },
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
const missing = Object.entries({ ...run.absent, ...run.failed })
const growth = renderGrowth(results)
console.log(
  [
    renderRun(run),
    renderNoise(rows, results, run.use),
    'In brackets: the first column divided by this one.',
    renderTables(rows, results),
    ...missing.map(([name, reason]) => `${name} was not measured: ${reason}.`),
    renderGoals(rows, results),
    growth,
  ].join('\n\n'),
)
if (flags.readme) {
  const table = renderReadmeTable(peerRows, results)
  if (table) await place('bench', `${renderRun(run)} ${renderNoise(rows, results, run.use)}\n\n${table}`)
  if (Object.keys(slopes).length > 0)
    await place(
      'slopes',
      `${renderRun({ ...run, rounds: 1, versions: run.versions.split(',')[0] ?? '' })}\n\n${growth}`,
    )
}
process.exit(run.isPart || Object.keys(run.failed).length > 0 ? 1 : 0)

async function measureAll(): Promise<Run> {
  const rounds = Number(flags.rounds ?? (flags.quick ? 1 : ROUNDS))
  const wanted = flags.peers?.toLowerCase().split(',')
  const isEverything = flags.all || positionals.length > 0
  const chosen = positionals.length === 0 ? rows : rows.filter(({ name }) => positionals.includes(name))
  const tasks = tasksOf(chosen, rounds, ({ name, of = '', isExtra }) => {
    const called = `${of} ${name}`.toLowerCase()
    return wanted?.some((word) => called.includes(word)) ?? (isEverything || !isExtra)
  })
  const absent = Object.fromEntries(
    tasks.flatMap(({ contestant }) => {
      const reason = contestant.missing()
      return reason === undefined ? [] : [[contestant.name, reason]]
    }),
  )
  for (const [name, reason] of Object.entries(absent)) console.error(`${name} is not measured: ${reason}.`)
  const before: Pick<Run, 'figures' | 'use'> = flags.resume
    ? await Bun.file(flags.json).json()
    : { figures: {}, use: { total: 0, others: 0 } }
  const found = readResults(before.figures)
  const use = countMachineUse()
  const part = {
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    versions: await versions(),
    rounds,
    isQuick: flags.quick,
    pinned: Bun.which('taskset') !== null && cpus().length > 1,
    absent,
  }
  const save = async (failed: Run['failed'], isPart: boolean): Promise<Run> => {
    const { total, others } = use()
    const run = {
      ...{ at: new Date().toISOString(), ...part, isPart, failed },
      use: { total: before.use.total + total, others: before.use.others + others },
      figures: writeResults(found),
    }
    await Bun.write(flags.json, JSON.stringify({ ...run, slopes: slopesOf(found) }, null, 2))
    return run
  }
  const present = tasks.filter(({ contestant }) => contestant.missing() === undefined)
  const { signal } = interruption
  console.error(`All that is measured goes into ${flags.json}.`)
  const failed = await measure(remaining(present, found), flags.quick, found, console.error, {
    onFigures: async () => void (await save({}, true)),
    signal,
  })
  return save(failed, signal.aborted)
}

async function place(mark: string, text: string): Promise<void> {
  const path = 'tests/bench/RESULTS.md'
  await Bun.write(path, placeBetween(await Bun.file(path).text(), mark, text))
  console.error(`${path} has what was found.`)
}
