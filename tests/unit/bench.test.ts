import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fit } from '../bench/fit.ts'
import { costsOf, renderGrowth, slopesOf } from '../bench/growth.ts'
import { measure, remaining, tasksOf } from '../bench/measure.ts'
import { machineUse, renderNoise } from '../bench/noise.ts'
import { needsOf } from '../bench/plan.ts'
import { renderReadmeTable, renderRun } from '../bench/readme-table.ts'
import { renderGoals, renderTables } from '../bench/report.ts'
import { addFigures, type Results, readResults, writeResults } from '../bench/results.ts'
import { type Contestant, expectedSeconds, type Row } from '../bench/row.ts'
import { rows as peerRows, ROUNDS } from '../bench/rows.ts'
import { allSeries } from '../bench/series.ts'
import type { Figures } from '../bench/target.ts'
import { placeBetween } from '../marks.ts'

const contestant = (name: string, figures: Figures = {}): Contestant => ({
  name,
  missing: () => undefined,
  measure: async () => figures,
})
const names = ['Milepost, sqlite', 'Milepost, memory', 'nchan', 'Hono', 'better-sse', 'raw sockets']
const row: Row = {
  name: 'W1',
  title: '1,000 watchers',
  contestants: names.map((name) => contestant(name)),
  options: {},
  columns: [
    { figure: 'cpu', label: 'CPU' },
    { figure: 'p99', label: 'p99, ms' },
  ],
  goals: [
    { figure: 'cpu', against: 'nchan', atMost: 0.85 },
    { figure: 'p99', atMost: 10 },
  ],
}
const results: Results = new Map()
for (const cpu of [8, 11, 9]) addFigures(results, 'W1', 'Milepost, sqlite', { cpu, p99: 12 })
for (const [index, cpu] of [7, 12, 20, 11, 1].entries())
  addFigures(results, 'W1', names[index + 1] ?? '', { cpu, p99: 5 })

const run = {
  at: '2026-11-24T08:39:29.194Z',
  machine: '2 × a core',
  versions: 'Bun 1.4.5',
  rounds: 3,
  isQuick: false,
  isPart: false,
  use: { total: 0, others: 0 },
  pinned: true,
  absent: {},
  failed: {},
  figures: {},
}

describe('the bench in documents', () => {
  test.each(['bench', 'slopes'])(
    'RESULTS.md has the marks %s, and between them what the bench has measured',
    async (mark) => {
      const document = await Bun.file('tests/bench/RESULTS.md').text()
      const [, written = ''] = document.split(new RegExp(`<!-- /?${mark} -->`))
      expect(placeBetween(document, mark, written.trim())).toBe(document)
      expect(written).toMatch(/^\n\n\d{4}-\d\d-\d\d, .*\.\n\n\| .*\|\n\| ---/)
    },
  )

  test('placeBetween throws when the marks are missing, or there twice', () => {
    expect(() => placeBetween('no marks', 'bench', '')).toThrow('Not once each: <!-- bench --> and <!-- /bench -->')
    const once = '<!-- bench -->\n<!-- /bench -->\n'
    expect(placeBetween(once, 'bench', 'new')).toBe('<!-- bench -->\n\nnew\n\n<!-- /bench -->\n')
    expect(() => placeBetween(once + once, 'bench', '')).toThrow('Not once each')
  })

  test('renderRun says when, on what, with what and how often', () => {
    expect(renderRun(run)).toBe('2026-11-24, 2 × a core, Bun 1.4.5; medians of 3 rounds; servers pinned to one core.')
    expect(renderRun({ ...run, rounds: 1, isQuick: true, isPart: true, pinned: false })).toBe(
      '2026-11-24, 2 × a core, Bun 1.4.5; one round, a quick run, not all of it; servers not pinned to one core.',
    )
  })

  test('renderReadmeTable has a line a row: ours, the best peer and those that goals name, and what was reached', () => {
    expect(renderReadmeTable([row], results).split('\n').slice(2)).toEqual([
      '| W1 | 1,000 watchers | CPU | 9 | better-sse: 11 (0.82)<br>nchan: 12 (0.75) | ≤ 0.85 × nchan ✓<br>p99, ms ≤ 10 ✗ (12) |',
    ])
  })

  test('renderReadmeTable takes the peer with most for best where more is better, and leaves out what was not measured', () => {
    const rate = { ...row, columns: [{ figure: 'cpu', label: 'events/s', isMoreBetter: true }], goals: [] }
    expect(
      renderReadmeTable([rate, { ...row, name: 'W2' }], results)
        .split('\n')
        .slice(2),
    ).toEqual(['| W1 | 1,000 watchers | events/s | 9 | Hono: 20 (0.45) | – |'])
    expect(renderReadmeTable([{ ...row, name: 'W2' }], results)).toBe('')
  })
})

describe('the report of the bench', () => {
  test('renderTables shows medians, and in brackets the first divided by each', () => {
    expect(renderTables([row], results)).toContain(
      '| | CPU | 9 | 7 (1.29) | 12 (0.75) | 20 (0.45) | 11 (0.82) | 1 (9.00) |',
    )
  })

  test('renderGoals says of each goal what was reached', () => {
    expect(renderGoals([row], results).split('\n').slice(2)).toEqual([
      '| W1 | CPU ≤ 0.85 × nchan | 0.75 | yes |',
      '| W1 | p99, ms ≤ 10 | 12 | no |',
    ])
  })

  test('readResults reads what writeResults wrote', () => {
    expect(readResults(JSON.parse(JSON.stringify(writeResults(results))))).toEqual(results)
  })
})

describe('the rounds of the bench', () => {
  test('tasksOf has each contestant take its turn in each round, and what is measured once in the first', () => {
    const [a, b] = [contestant('a'), contestant('b')]
    const often = { ...row, name: 'often', contestants: [a, b] }
    const once = { ...row, name: 'once', contestants: [a, b], isOnce: true }
    const turns = tasksOf([often, once], 2, ({ name }) => name === 'a').map((task) => [task.round, task.row.name])
    expect(turns).toEqual([
      [1, 'often'],
      [1, 'once'],
      [2, 'often'],
    ])
    expect(tasksOf([often], 1, () => true).map((task) => task.contestant)).toEqual([a, b])
  })

  test('measure says how far it is, goes on when one fails, and tells why it did', async () => {
    const fails = { ...contestant('fails'), measure: () => Promise.reject(new Error('gone')) }
    const tasks = tasksOf([{ ...row, contestants: [fails, contestant('works', { cpu: 3 })] }], 1, () => true)
    const found: Results = new Map()
    const said: string[] = []
    expect(await measure(tasks, false, found, (line) => said.push(line))).toEqual({ 'W1, fails': 'Error: gone' })
    expect(said).toEqual([
      '1 of 2, about 3 s to go: round 1, W1, fails',
      'W1, fails failed: Error: gone',
      '2 of 2, about 2 s to go: round 1, W1, works',
    ])
    expect(writeResults(found)).toEqual({ W1: { works: [{ cpu: 3 }] } })
  })
})

describe('a whole run of the bench', () => {
  test('tasksOf has ten minutes of turns, but for what has to be asked for', () => {
    const all = [...peerRows, ...Object.values(allSeries).map((series) => series.row)]
    const tasks = tasksOf(all, ROUNDS, ({ isExtra }) => !isExtra)
    expect(tasks.reduce((sum, task) => sum + expectedSeconds(task.row, false), 0)).toBeLessThanOrEqual(600)
  })

  test('measure ends at a signal without what it is measuring, saves after each, and remaining has what is left', async () => {
    for (const isKilled of [false, true]) {
      const interruption = new AbortController()
      const last = {
        ...contestant('last'),
        measure: async () => {
          interruption.abort()
          if (isKilled) throw new Error('killed')
          return { cpu: 1 }
        },
      }
      const tasks = tasksOf([{ ...row, contestants: [contestant('a', { cpu: 3 }), last] }], 2, () => true)
      const found: Results = new Map()
      let saved = 0
      const onFigures = async () => {
        saved += 1
      }
      expect(await measure(tasks, false, found, () => {}, { onFigures, signal: interruption.signal })).toEqual({})
      expect({ saved, found: writeResults(found) }).toEqual({ saved: 1, found: { W1: { a: [{ cpu: 3 }] } } })
      expect(remaining(tasks, found)).toEqual(tasks.slice(1))
    }
  })

  test('a run that is interrupted prints what it has, and is resumed from its file', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'milepost-bench-')), 'run.json')
    const bench = (...flags: string[]) =>
      Bun.spawn([process.execPath, 'tests/bench/run.ts', 'K', '--json', file, ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    const begun = bench()
    const errors = begun.stderr.getReader()
    for (let said = ''; !said.includes('2 of 2'); ) said += new TextDecoder().decode((await errors.read()).value)
    begun.kill('SIGINT')
    expect(await begun.exited).toBe(1)
    expect(await new Response(begun.stdout).text()).toMatch(
      /, not all of it; [\s\S]*\nNoise: [\s\S]*\| bytes, gzip \| \d/,
    )
    const names = async () => Object.keys((await Bun.file(file).json()).figures.K)
    expect(await names()).toEqual(['widget.js'])
    const resumed = bench('--resume')
    expect(await resumed.exited).toBe(0)
    expect(await new Response(resumed.stderr).text()).toContain('1 of 1')
    expect(await names()).toEqual(['widget.js', 'React + TanStack Query'])
    await rm(dirname(file), { recursive: true })
  })
})

describe('the noise of a run', () => {
  const stat = (...ticks: number[]) => `cpu  ${ticks.join(' ')}\ncpu0 1 2 3\n`
  const own = (...ticks: number[]) => `42 (a ) name) S ${Array(10).fill(1).join(' ')} ${ticks.join(' ')} 20 0`

  test('machineUse counts as others what is neither idle nor ours, and what is stolen', () => {
    // user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
    expect(machineUse(stat(100, 1, 50, 700, 20, 2, 3, 24, 90, 0), own(40, 10, 60, 20))).toEqual({
      total: 900,
      others: 50,
    })
  })

  test('renderNoise says what others took, and how far rounds differ', () => {
    expect(renderNoise([row], results, { total: 1_000, others: 123 })).toBe(
      'Noise: other programs took 12.3 % of the machine; the rounds of a figure differ by 33.3 % (median), at most by 33.3 % (W1, Milepost, sqlite).',
    )
    expect(renderNoise([], results, { total: 1_000, others: 0 })).toBe('Noise: other programs took 0 % of the machine.')
  })
})

describe('how cost grows', () => {
  test('fit finds the line, takes errors in proportion, and leaves out what is no number', () => {
    const line = fit([10, 100, 1_000].map((x) => ({ x, y: 50 + 2 * x })))
    expect([line.a.toFixed(6), line.b.toFixed(6)]).toEqual(['50.000000', '2.000000'])
    // A tenth too much at the far end hardly moves where it begins.
    const off = fit([
      { x: 0, y: 50 },
      { x: 10, y: 70 },
      { x: 1_000, y: 2_255 },
      { x: 2_000, y: Number.NaN },
    ])
    expect(Math.abs(off.a - 50)).toBeLessThan(1)
    expect(fit([{ x: 1, y: 1 }]).b).toBeNaN()
  })

  /** As if all had been measured, with known slopes. */
  const measured: Results = new Map()
  for (const { row, points } of Object.values(allSeries)) {
    for (const [name, x] of points) {
      const figures = {
        cpuPublished: row.name === 'S2w' ? 60 : 200 + 10 * x,
        resident: 40_000 + (row.name === 'S3w' ? 8 : 5) * x,
        disk: 100 + x,
        cpuRequest: 30 + 2 * x,
        cpu: 90,
        kernelKib: 4,
        bytesSecond: 2_500,
        messagesSecond: 10,
      }
      addFigures(measured, row.name, name, figures)
    }
  }

  test('slopesOf fits a line through the points of each series', () => {
    const { a = 0, b = 0 } = slopesOf(measured).S1?.cpuPublished ?? {}
    expect([Math.round(a), Math.round(b)]).toEqual([200, 10])
  })

  test('costsOf takes the costs of one watcher off those of a job with one', () => {
    const costs = costsOf(measured)
    expect(Object.entries(costs).map(([name, value]) => [name, Math.round(value)])).toEqual([
      ['eventCpu', 50],
      ['deliveryCpu', 10],
      ['connectCpu', 90],
      ['watcherKib', 5],
      ['kernelKib', 4],
      ['jobKib', 3],
      ['eventBytes', 250],
    ])
  })

  test('renderGrowth writes the lines, the tables, what a core does at most, and the plan', () => {
    const text = renderGrowth(measured)
    expect(text).toContain('| CPU-µs = 200 + 10 × watchers | 100: 1,200; 1,000: 10,200; 9,000: 90,200 |')
    expect(text).toContain('| S4 | 1 job, 100 watchers, and more and more events | 10 events/s |')
    expect(text).toContain('| messages to watchers/s, one event each (from the slope of S1) | 100,000 |')
    expect(text).toContain('The way to millions of watchers:')
  })

  test('renderGrowth has no plan where costs were not measured', () => {
    const some: Results = new Map([...measured].filter(([name]) => name === 'S1'))
    expect(renderGrowth(some)).toContain('CPU-µs = 200 + 10 × watchers')
    expect(renderGrowth(some)).not.toContain('The way to millions of watchers')
    expect(renderGrowth(new Map())).toBe('')
  })

  test('needsOf counts nodes by what runs out first', () => {
    const costs = {
      eventCpu: 50,
      deliveryCpu: 9,
      connectCpu: 90,
      watcherKib: 5,
      kernelKib: 4,
      jobKib: 3,
      eventBytes: 250,
    }
    const needs = needsOf(costs, { watchers: 1_000_000, watchersAJob: 100, eventsPerSecond: 1 })
    // 0.5 of an event, 9 of its delivery, 0.3 of a ping, 0.1 of a connect.
    expect(needs.watcherCpu).toBeCloseTo(9.9)
    expect(needs).toMatchObject({
      published: 10_000,
      watcherKib: 9.03,
      nodesByCpu: 17,
      nodesByMemory: 3,
      nodesBySockets: 1,
      nodes: 17,
      socketsANode: 58_824,
      addressesANode: 1,
      gigabytes: 0.25,
      machines: 17 * 25,
      traffic: 6_480,
    })
    const quiet = needsOf(costs, { watchers: 1_000_000, watchersAJob: 100, eventsPerSecond: 0 })
    expect([quiet.nodesByCpu, quiet.nodes]).toEqual([1, 3])
  })
})
