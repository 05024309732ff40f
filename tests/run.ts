/**
 * Runs all tests, and ends with one line that says how many passed and failed: `bun tests/run.ts [files…]`.
 *
 * In CI a test that was skipped counts as failed: what a machine lacks must be seen.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { placeMatrix, readMatrix, renderMatrix } from './matrix.ts'

const folder = await mkdtemp(join(tmpdir(), 'milepost-tests-'))
const report = join(folder, 'report.xml')
const { exited } = Bun.spawn(
  [
    process.execPath,
    'test',
    '--timeout=60000',
    '--reporter=junit',
    `--reporter-outfile=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: ['ignore', 'inherit', 'inherit'] },
)
const code = await exited
const xml = await readFile(report, 'utf8').catch(() => '')
const totals = /<testsuites[^>]*>/.exec(xml)?.[0] ?? ''
await rm(folder, { recursive: true })
const matrixIsTrue = await checkMatrix()

const count = (name: string) => Number(new RegExp(`\\b${name}="([0-9]+)"`).exec(totals)?.[1] ?? 0)
const skipped = count('skipped')
const failed = count('failures') + count('errors') + (matrixIsTrue ? 0 : 1)
const passed = count('tests') - count('failures') - count('errors') - skipped
const skipsFail = process.env.CI === 'true' && skipped > 0
if (skipsFail) console.error(`${skipped} skipped, which CI does not let pass`)
console.log(
  `${passed} passed, ${failed + (skipsFail ? skipped : 0)} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
)
process.exit(code !== 0 || passed === 0 || failed > 0 || skipsFail ? 1 : 0)

/** Prints what was tested on which runtime. Once all was tested, ARCHITECTURE.md has to say the same. */
async function checkMatrix(): Promise<boolean> {
  const matrix = readMatrix(xml)
  if (matrix.size === 0) return true
  const table = renderMatrix(matrix)
  console.log(`\n${table}\n`)
  if (process.argv.length > 2) return true
  const document = await readFile('ARCHITECTURE.md', 'utf8')
  if (placeMatrix(document, table) === document) return true
  console.error('ARCHITECTURE.md has another matrix than this. Put this one in its place.')
  return false
}
