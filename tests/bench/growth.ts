import { fit, type Line } from './fit.ts'
import { type Costs, renderPlan } from './plan.ts'
import { figureOf, format, type Results } from './results.ts'
import { allSeries, type Growth, type Series } from './series.ts'

const KIB_A_GIB = 1024 ** 2

/** The line through what a series measured. */
function lineOf({ row, points }: Series, { figure }: Growth, results: Results): Line {
  return fit([...points].map(([name, x]) => ({ x, y: figureOf(results, row.name, name, figure) })))
}

/** The slope of a series, and where it begins; NaN when it was not measured. */
function slopeOf(series: Series, figure: string, results: Results): Line {
  const growth = series.grows.find((one) => one.figure === figure)
  return growth ? lineOf(series, growth, results) : { a: Number.NaN, b: Number.NaN }
}

/** What `series` found at its last point, where there is most, or at its first. */
function figureAt({ row, points }: Series, place: 0 | -1, figure: string, results: Results): number {
  return figureOf(results, row.name, [...points.keys()].at(place), figure)
}

/** The slopes of all series that were measured, as numbers: `a + b × x`, by row and figure. */
export function slopesOf(results: Results): Record<string, Record<string, Line>> {
  const measured = Object.values(allSeries).filter(({ row }) => results.has(row.name))
  return Object.fromEntries(
    measured.map((series) => [
      series.row.name,
      Object.fromEntries(series.grows.map((growth) => [growth.figure, lineOf(series, growth, results)])),
    ]),
  )
}

/** What the plan rests on; where a series was not measured, NaN. */
export function costsOf(results: Results): Costs {
  const { watchers, idle, watchedRate, watchedJobs, frames } = allSeries
  const deliveryCpu = slopeOf(watchers, 'cpuPublished', results).b
  const watcherKib = slopeOf(idle, 'resident', results).b
  return {
    // Each of these events has one delivery, and the core is about as full as a node is planned to be.
    eventCpu: figureAt(watchedRate, -1, 'cpuPublished', results) - deliveryCpu,
    deliveryCpu,
    connectCpu: figureAt(idle, -1, 'cpu', results),
    watcherKib,
    kernelKib: figureAt(idle, -1, 'kernelKib', results),
    // One of these jobs comes with its one watcher.
    jobKib: slopeOf(watchedJobs, 'resident', results).b - watcherKib,
    eventBytes: figureAt(frames, 0, 'bytesSecond', results) / figureAt(frames, 0, 'messagesSecond', results),
  }
}

/** How cost grows, as Markdown: the lines, what grows in no line, what one core does at most, and the plan. */
export function renderGrowth(results: Results): string {
  const costs = costsOf(results)
  const parts = [renderLines(results), ...renderOthers(results), renderNode(results, costs)]
  if (Object.values(costs).every(Number.isFinite))
    parts.push(`The way to millions of watchers:\n\n${renderPlan(costs)}`)
  return parts.filter((part) => part !== '').join('\n\n')
}

function renderLines(results: Results): string {
  const lines = Object.values(allSeries).flatMap((series) =>
    series.grows.flatMap((growth) => {
      const { a, b } = lineOf(series, growth, results)
      if (!Number.isFinite(b)) return []
      const measured = [...series.points].map(
        ([name, x]) => `${format(x)}: ${format(figureOf(results, series.row.name, name, growth.figure))}`,
      )
      const sum = `${growth.unit} = ${format(a)} + ${format(b)} × ${series.by}`
      return [`| ${series.row.name} | ${series.row.title} | ${growth.what} | ${sum} | ${measured.join('; ')} |`]
    }),
  )
  if (lines.length === 0) return ''
  return ['| | | | fitted | measured |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}

/** What grows in no straight line: a table each. */
function renderOthers(results: Results): string[] {
  const others = Object.values(allSeries).filter(({ row, grows }) => grows.length === 0 && results.has(row.name))
  return others.map(({ row, points }) => {
    const names = [...points.keys()]
    const lines = row.columns.map(({ figure, label }) => {
      const values = names.map((name) => format(figureOf(results, row.name, name, figure)))
      return `| | ${label} | ${values.join(' | ')} |`
    })
    const head = `| ${row.name} | ${row.title} | ${names.join(' | ')} |`
    return [head, `| --- | --- |${' ---: |'.repeat(names.length)}`, ...lines].join('\n')
  })
}

/** What one core does when it does nothing else. */
function renderNode(results: Results, costs: Costs): string {
  const of = (row: string, figure: string) => figureOf(results, row, 'Milepost, sqlite', figure)
  const most: [string, number][] = [
    ['messages to watchers/s, one event each (from the slope of S1)', 1e6 / costs.deliveryCpu],
    ['events seen/s by 1,000 watchers of one job, all together (W3)', of('W3', 'rate')],
    ['events published/s, one a request (W5)', of('W5', 'rate')],
    ['events published/s, 100 a request (W5b)', of('W5b', 'rate')],
    ['connects/s (W6)', of('W6', 'rate')],
    ['idle watchers a GiB of the process (from the slope of S1m)', KIB_A_GIB / costs.watcherKib],
    ['the same, with what the kernel holds for their sockets', KIB_A_GIB / (costs.watcherKib + costs.kernelKib)],
  ]
  const lines = most
    .filter(([, value]) => Number.isFinite(value))
    .map(([what, value]) => `| ${what} | ${format(value)} |`)
  return lines.length === 0 ? '' : ['| what one core does at most | |', '| --- | ---: |', ...lines].join('\n')
}
