import { expect, test } from 'bun:test'
import { DENO } from '../support/on-deno.ts'
import type { Result } from './deno/bun-test.ts'

/** The suite as it came out inside Deno, test by test. */
async function runInDeno(): Promise<{ results: Result[]; printed: string; code: number }> {
  const flags = ['--no-check', '--allow-all', '--import-map=tests/conformance/deno/imports.json']
  const child = Bun.spawn([DENO, 'run', ...flags, 'tests/conformance/deno/kv-suite.ts'], { stderr: 'pipe' })
  const [output, printed, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  const lines = output.split('\n').filter((line) => line !== '')
  return { results: lines.map((line): Result => JSON.parse(line)), printed, code }
}

const { results, printed, code } = await runInDeno()

for (const { name, error } of results) {
  test(name, () => {
    if (error !== undefined) throw new Error(error)
  })
}

test('the suite ran to its end inside Deno, and nothing else was printed', () => {
  expect({ code, printed }).toEqual({ code: 0, printed: '' })
  expect(results.length).toBeGreaterThan(80)
})
