/**
 * Runs all tests, and ends with one line that says how many passed and failed: `bun tests/run.ts [files…]`.
 *
 * In CI a test that was skipped counts as failed: what a machine lacks must be seen.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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
const totals = /<testsuites[^>]*>/.exec(await readFile(report, 'utf8').catch(() => ''))?.[0] ?? ''
await rm(folder, { recursive: true })

const count = (name: string) => Number(new RegExp(`\\b${name}="([0-9]+)"`).exec(totals)?.[1] ?? 0)
const skipped = count('skipped')
const failed = count('failures') + count('errors')
const passed = count('tests') - failed - skipped
const skipsFail = process.env.CI === 'true' && skipped > 0
if (skipsFail) console.error(`${skipped} skipped, which CI does not let pass`)
console.log(
  `${passed} passed, ${failed + (skipsFail ? skipped : 0)} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
)
process.exit(code !== 0 || passed === 0 || failed > 0 || skipsFail ? 1 : 0)
