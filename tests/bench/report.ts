import type { Goal, Row } from './rows.ts'
import type { Figures } from './target.ts'

/** The figures of each round, by row and peer. */
export type Results = Map<string, Map<string, Figures[]>>

/** The peer that goals are for, unless they name another. */
const SUBJECT = 'Milepost, sqlite'

export function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

function figureOf(results: Results, row: string, peer: string, figure: string): number {
  return median((results.get(row)?.get(peer) ?? []).map((figures) => figures[figure] ?? Number.NaN))
}

/**
 * The tables, one for all rows that the same peers took part in: a line a figure, a column a peer, medians of the rounds; in brackets the
 * figure of the first peer divided by this one's.
 */
export function renderTables(rows: readonly Row[], results: Results): string {
  const groups = Map.groupBy(rows, ({ name }) => [...(results.get(name)?.keys() ?? [])].join(' | '))
  return [...groups].map(([peers, group]) => renderTable(group, peers.split(' | '), results)).join('\n\n')
}

function renderTable(rows: readonly Row[], peers: readonly string[], results: Results): string {
  const lines = [`| | | ${peers.join(' | ')} |`, `| --- | --- |${' ---: |'.repeat(peers.length)}`]
  for (const { name, title, columns } of rows) {
    lines.push(`| **${name}** | **${title}** |${' |'.repeat(peers.length)}`)
    for (const { figure, label } of columns) {
      const values = peers.map((peer) => figureOf(results, name, peer, figure))
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

function format(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en')
  return `${Number(value.toPrecision(3))}`
}

/** What the subject had to reach in these rows, and what it did. */
export function renderGoals(rows: readonly Row[], results: Results): string {
  const lines = ['| | goal | reached | |', '| --- | --- | ---: | --- |']
  for (const row of rows) {
    for (const goal of row.goals) {
      const value = reached(row, goal, results)
      if (Number.isNaN(value)) continue
      const isMet = value <= (goal.atMost ?? Number.POSITIVE_INFINITY) && value >= (goal.atLeast ?? 0)
      const bound = goal.atMost === undefined ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
      const label = row.columns.find(({ figure }) => figure === goal.figure)?.label ?? goal.figure
      const other = goal.against ?? goal.againstRow
      lines.push(
        `| ${row.name} | ${goal.of ? `${goal.of}: ` : ''}${label} ${bound}${other ? ` × ${other}` : ''} | ${format(value)} | ${isMet ? 'yes' : 'no'} |`,
      )
    }
  }
  return lines.join('\n')
}

function reached({ name }: Row, { figure, of = SUBJECT, against, againstRow }: Goal, results: Results): number {
  const value = figureOf(results, name, of, figure)
  if (against !== undefined) return value / figureOf(results, name, against, figure)
  if (againstRow !== undefined) return value / figureOf(results, againstRow, SUBJECT, figure)
  return value
}
