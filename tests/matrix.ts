import { placeBetween } from './marks.ts'

/** What was tested, group by group, and how it went on each runtime. */
export type Matrix = Map<string, Map<string, { passed: number; failed: number }>>

/** Reads the matrix off a JUnit report: from the suites called `runtime NAME`, and the groups in them. */
export function readMatrix(report: string): Matrix {
  const matrix: Matrix = new Map()
  const suites: string[] = []
  for (const [, suite, isClosed, test, isBad] of report.matchAll(PARTS)) {
    if (suite !== undefined) suites.push(suite)
    else if (isClosed) suites.pop()
    const place = suites.findIndex((name) => name.startsWith('runtime '))
    const [runtime, group] = [suites[place]?.slice('runtime '.length), suites[place + 1]]
    if (place < 0 || runtime === undefined || group === undefined) continue
    const row = matrix.get(group) ?? new Map<string, { passed: number; failed: number }>()
    matrix.set(group, row)
    const cell = row.get(runtime) ?? { passed: 0, failed: 0 }
    row.set(runtime, cell)
    if (test !== undefined) cell.passed += 1
    if (isBad) {
      cell.passed -= 1
      cell.failed += 1
    }
  }
  return matrix
}

const PARTS = /<testsuite name="([^"]*)"|(<\/testsuite>)|<testcase name="([^"]*)"|<(failure|skipped|error)\b/g

/** The matrix as a table of Markdown: a check where all tests of a group passed. */
export function renderMatrix(matrix: Matrix): string {
  const runtimes = [...new Set([...matrix.values()].flatMap((row) => [...row.keys()]))].sort()
  const lines = [...matrix].map(([group, row]) => {
    const cells = runtimes.map((runtime) => {
      const { passed = 0, failed = 0 } = row.get(runtime) ?? {}
      return failed > 0 ? '✗' : passed > 0 ? '✓' : '–'
    })
    return [group, ...cells]
  })
  const table = [['', ...runtimes], ...lines]
  const widths = ['', ...runtimes].map((_, column) => Math.max(3, ...table.map((cells) => cells[column]?.length ?? 0)))
  const write = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [write(table[0] ?? []), write(widths.map((width) => '-'.repeat(width))), ...table.slice(1).map(write)].join(
    '\n',
  )
}

/** The text of a document with a table in the matrix's place. */
export function placeMatrix(document: string, table: string): string {
  return placeBetween(document, 'matrix', table)
}
