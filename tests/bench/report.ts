import { figureOf, format, type Results } from './results.ts'
import type { Goal, Row } from './row.ts'

/**
 * The tables, one for all rows that the same contestants took part in: a line a figure, a column a contestant, medians of the rounds; in
 * brackets the figure of the first divided by this one's.
 */
export function renderTables(rows: readonly Row[], results: Results): string {
  const groups = Map.groupBy(rows, ({ name }) => [...(results.get(name)?.keys() ?? [])].join(' | '))
  groups.delete('')
  return [...groups].map(([names, group]) => renderTable(group, names.split(' | '), results)).join('\n\n')
}

function renderTable(rows: readonly Row[], names: readonly string[], results: Results): string {
  const lines = [`| | | ${names.join(' | ')} |`, `| --- | --- |${' ---: |'.repeat(names.length)}`]
  for (const { name, title, columns } of rows) {
    lines.push(`| **${name}** | **${title}** |${' |'.repeat(names.length)}`)
    for (const { figure, label } of columns) {
      const values = names.map((of) => figureOf(results, name, of, figure))
      lines.push(`| | ${label} | ${values.map((value) => cellOf(value, values[0])).join(' | ')} |`)
    }
  }
  return lines.join('\n')
}

function cellOf(value: number, first = Number.NaN): string {
  const ratio = first / value
  const isCompared = value !== first && Number.isFinite(ratio)
  return isCompared ? `${format(value)} (${ratio.toFixed(2)})` : format(value)
}

/** What had to be reached in these rows, and what was. */
export function renderGoals(rows: readonly Row[], results: Results): string {
  const lines = ['| | goal | reached | |', '| --- | --- | ---: | --- |']
  for (const row of rows) {
    for (const { goal, label, bound, value, isMet } of reachedIn(row, results)) {
      const other = goal.against ?? goal.againstRow
      lines.push(
        `| ${row.name} | ${label} ${bound}${other ? ` × ${other}` : ''} | ${format(value)} | ${isMet ? 'yes' : 'no'} |`,
      )
    }
  }
  return lines.join('\n')
}

/** A goal, and how it went. */
export interface Reached {
  goal: Goal
  /** What the figure is called. */
  label: string
  /** As `≤ 1.2`. */
  bound: string
  /** The figure, or its ratio to the one that it is held against. */
  value: number
  isMet: boolean
}

/** The goals of a row that there are figures for. */
export function reachedIn(row: Row, results: Results): Reached[] {
  return row.goals.flatMap((goal) => {
    const value = measured(row, goal, results)
    if (!Number.isFinite(value)) return []
    const label = row.columns.find(({ figure }) => figure === goal.figure)?.label ?? goal.figure
    const isMet = value <= (goal.atMost ?? Number.POSITIVE_INFINITY) && value >= (goal.atLeast ?? 0)
    const [sign, number] = goal.atMost === undefined ? ['≥', goal.atLeast] : ['≤', goal.atMost]
    return [{ goal, label, bound: `${sign} ${format(number ?? 0)}`, value, isMet }]
  })
}

function measured({ name, contestants }: Row, { figure, against, againstRow }: Goal, results: Results): number {
  const ours = contestants[0]?.name
  const value = figureOf(results, name, ours, figure)
  if (against !== undefined) return value / figureOf(results, name, against, figure)
  if (againstRow !== undefined) return value / figureOf(results, againstRow, ours, figure)
  return value
}
