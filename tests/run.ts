/**
 * Runs the tests, and ends with one line that says how many passed and failed: `bun tests/run.ts [TIER | files…]`.
 *
 * Groups of files run side by side, each in a process of its own; a group is quiet until it ends. In CI a test that was skipped counts as
 * failed: what a machine lacks must be seen.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DOCUMENT, missingIn } from './attacks/table.ts'
import { filesOf, groups } from './groups.ts'
import { placeMatrix, readMatrix, renderMatrix } from './matrix.ts'

/** Most tests of runtimes, faults and pages wait for others more than they work. */
const SIDE_BY_SIDE = availableParallelism() * 3
/** The document that has the matrix of runtimes. */
const MATRIX = 'tests/conformance/README.md'
/** A busy machine is slow: milliseconds. */
const TIMEOUT = 180_000

interface Ran {
  name: string
  /** The JUnit report. */
  report: string
  isGood: boolean
}

const asked = process.argv.slice(2)
const tier = groups.find((group) => group.tier === asked[0])?.tier
/** Nothing is left out that the documents tell of. */
const isWhole = asked.length === 0
const folder = await mkdtemp(join(tmpdir(), 'milepost-tests-'))
const ran = !isWhole && tier === undefined ? [await runAlone(asked)] : await runGroups()
await rm(folder, { recursive: true })
const reports = ran.map(({ report }) => report).join('')
const isMatrixTrue = await checkMatrix(reports)
const areAttacksMade = !isWhole || checkAttacks(reports)

const totals = ran.map(({ report }) => /<testsuites[^>]*>/.exec(report)?.[0] ?? '')
const count = (name: string) =>
  totals.reduce((sum, total) => sum + Number(new RegExp(`\\b${name}="([0-9]+)"`).exec(total)?.[1] ?? 0), 0)
const skipped = count('skipped')
const bad = count('failures') + count('errors')
const passed = count('tests') - bad - skipped
const skipsFail = process.env.CI === 'true' && skipped > 0
const failed = bad + (isMatrixTrue ? 0 : 1) + (areAttacksMade ? 0 : 1) + (skipsFail ? skipped : 0)
if (skipsFail) console.error(`${skipped} skipped, which CI does not let pass`)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(failed > 0 || passed === 0 || !ran.every(({ isGood }) => isGood) ? 1 : 0)

/** Runs groups side by side; prints what a group printed when something of it failed. */
async function runGroups(): Promise<Ran[]> {
  const waiting = [...(await filesOf())].filter(([group]) => (tier ? group.tier === tier : group.tier !== 'frameworks'))
  const done: Ran[] = []
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [{ name }, files] = next
      const start = performance.now()
      const { output, cpu, ...result } = await runQuietly(name, files)
      done.push(result)
      if (!result.isGood) console.log(output)
      const seconds = Math.round((performance.now() - start) / 1_000)
      console.log(`${result.isGood ? '✓' : '✗'} ${name}: ${files.length} files, ${seconds} s, ${cpu} s of CPU`)
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
  return done.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** @returns `cpu`: seconds of the process and of those that it started and waited for: not of a workerd, which is killed with its group */
async function runQuietly(name: string, files: string[]): Promise<Ran & { output: string; cpu: number }> {
  const path = join(folder, `${name}.xml`)
  const child = Bun.spawn(command(path, files), { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  // What passed is of no interest.
  const output = `${out}${errors}`.replace(/^\(pass\).*\n/gm, '')
  const cpu = Math.round(Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6)
  return { name, output, cpu, report: await reportAt(path), isGood: code === 0 }
}

async function runAlone(files: string[]): Promise<Ran> {
  const path = join(folder, 'report.xml')
  const code = await Bun.spawn(command(path, files), { stdio: ['ignore', 'inherit', 'inherit'] }).exited
  return { name: '', report: await reportAt(path), isGood: code === 0 }
}

function command(report: string, files: string[]): string[] {
  const options = [`--timeout=${TIMEOUT}`, '--reporter=junit', `--reporter-outfile=${report}`]
  return [process.execPath, 'test', ...options, ...files]
}

/** Empty when the process ended before it wrote one. */
function reportAt(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

/** Prints what was tested on which runtime. Once all was tested, the document has to say the same. */
async function checkMatrix(report: string): Promise<boolean> {
  const matrix = readMatrix(report)
  if (matrix.size === 0) return true
  const table = renderMatrix(matrix)
  console.log(`\n${table}\n`)
  if (!isWhole) return true
  const document = await readFile(MATRIX, 'utf8')
  if (placeMatrix(document, table) === document) return true
  console.error(`${MATRIX} has another matrix than this. Put this one in its place.`)
  return false
}

/** Once all was tested, each attack of the table was made, and withstood. */
function checkAttacks(report: string): boolean {
  const missing = missingIn(report)
  for (const attack of missing)
    console.error(`${DOCUMENT} has an attack that was not made, or not withstood: ${attack}`)
  return missing.length === 0
}
