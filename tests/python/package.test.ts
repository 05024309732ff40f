import { expect, test } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEBIAN_PYTHON, missingModule } from '../support/python.ts'

async function run(...command: string[]): Promise<{ code: number; output: string }> {
  const program = Bun.spawn(command, { stdout: 'pipe', stderr: 'pipe' })
  const texts = await Promise.all([new Response(program.stdout).text(), new Response(program.stderr).text()])
  return { code: await program.exited, output: texts.join('') }
}

const noPip = missingModule('pip') ?? missingModule('setuptools', 'wheel')

test.skipIf(noPip !== undefined)('pip installs the reporter from its folder, with its types', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-pip-'))
  try {
    // It builds in the folder.
    await cp('client/python', join(folder, 'source'), { recursive: true })
    const options = ['--no-index', '--no-build-isolation', '--target', join(folder, 'installed')]
    const installed = await run(DEBIAN_PYTHON, '-m', 'pip', 'install', ...options, join(folder, 'source'))
    expect([installed.code, installed.output]).toEqual([0, expect.stringContaining('milepost')])
    const files = new Bun.Glob('milepost/*.{py,typed}')
    expect((await Array.fromAsync(files.scan(join(folder, 'installed')))).sort()).toEqual(
      (await Array.fromAsync(files.scan('client/python'))).sort(),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})

const noLinter = missingModule('flake8') ?? missingModule('mypy')

test.skipIf(noLinter !== undefined)('the reporter keeps to PEP 8, and its types are strict', async () => {
  const style = await run(DEBIAN_PYTHON, '-m', 'flake8', '--max-line-length=99', 'client/python/milepost')
  expect(style).toEqual({ code: 0, output: '' })
  const config = ['--config-file', 'client/python/pyproject.toml', '--cache-dir', '/dev/null']
  const types = await run(DEBIAN_PYTHON, '-m', 'mypy', ...config, 'client/python/milepost')
  expect(types).toEqual({ code: 0, output: expect.stringContaining('no issues found') })
})
