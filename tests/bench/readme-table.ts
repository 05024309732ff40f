import { reachedIn } from './report.ts'
import { figureOf, format, type Results, type Run } from './results.ts'
import type { Column, Contestant, Row } from './row.ts'

/** Contestants that are no peers: ours in other forms, and the floor that nobody who does any work can reach. */
const NO_PEER = /^(Milepost|raw sockets)/

/** Where, when and with what a run was made, in a line. */
export function renderRun({ at, machine, versions, rounds, isQuick, isPart, pinned }: Run): string {
  const [medians, core] = [`medians of ${rounds} rounds`, `servers ${pinned ? '' : 'not '}pinned to one core`]
  const kind = `${isQuick ? ', a quick run' : ''}${isPart ? ', not all of it' : ''}`
  return `${at.slice(0, 10)}, ${machine}, ${versions}; ${rounds === 1 ? 'one round' : medians}${kind}; ${core}.`
}

/** What was found, a line a row that was measured: ours, the peers that it is held against or that did best, and what it had to reach. */
export function renderReadmeTable(rows: readonly Row[], results: Results): string {
  const lines: string[] = []
  for (const row of rows) {
    const column = row.columns[0]
    const ours = figureOf(results, row.name, row.contestants[0]?.name, column?.figure ?? '')
    if (column === undefined || !Number.isFinite(ours)) continue
    const peers = peersOf(row, column, results).map(
      ({ name, value }) => `${name}: ${format(value)} (${(ours / value).toFixed(2)})`,
    )
    const goals = reachedIn(row, results).map(({ goal, label, bound, value, isMet }) => {
      const what = goal.figure === column.figure ? '' : `${label} `
      const other = goal.against ?? goal.againstRow
      return `${what}${bound}${other ? ` × ${other}` : ''} ${isMet ? '✓' : `✗ (${format(value)})`}`
    })
    const cells = [row.name, row.title, column.label, format(ours), peers.join('<br>'), goals.join('<br>')]
    lines.push(`| ${cells.map((cell) => cell || '–').join(' | ')} |`)
  }
  if (lines.length === 0) return ''
  return [
    '| | work | figure | Milepost | peers (ours ÷ theirs) | goal |',
    '| --- | --- | --- | ---: | --- | --- |',
    ...lines,
  ].join('\n')
}

/** Those that goals name, and the one that did best of all others. */
function peersOf(row: Row, column: Column, results: Results): { name: string; value: number }[] {
  const named = new Set(row.goals.flatMap(({ against }) => against ?? []))
  const all = row.contestants
    .slice(1)
    .map(({ name }: Contestant) => ({ name, value: figureOf(results, row.name, name, column.figure) }))
    .filter(({ name, value }) => !NO_PEER.test(name) && Number.isFinite(value))
    .sort((a, b) => (column.isMoreBetter ? b.value - a.value : a.value - b.value))
  return all.filter(({ name }) => named.has(name) || name === all[0]?.name)
}
