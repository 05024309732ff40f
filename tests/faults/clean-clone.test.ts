import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import denoJson from '../../deno.json' with { type: 'json' }
import packageJson from '../../package.json' with { type: 'json' }
import { version } from '../../server/version.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { SECRET } from '../support/tokens.ts'

/** The sources, with what is installed and nothing that is built. */
let clone: string
beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'milepost-clone-'))
  const names = ['shared', 'server', 'client', 'package.json', 'tsconfig.json', 'bunfig.toml']
  for (const name of names) await cp(name, join(clone, name), { recursive: true })
  await rm(join(clone, 'server/generated'), { recursive: true, force: true })
  await symlink(resolve('node_modules'), join(clone, 'node_modules'))
})
afterAll(() => rm(clone, { recursive: true }))

async function run(...args: string[]) {
  const child = Bun.spawn([process.execPath, join(clone, 'server/cli/main.ts'), ...args], {
    cwd: clone,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, MILEPOST_SECRET: SECRET },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { out, err, code: await child.exited }
}

describe('a clean clone', () => {
  test('a clean clone has every command that the help names', async () => {
    const help = await run('--help')
    const commands = [...help.out.matchAll(/^milepost (\S+)/gm)].map(([, command]) => command)
    expect(commands).toEqual(expect.arrayContaining(['serve', 'sign-in', 'sync', 'token', '--version']))
    const explained = commands.filter((command) => !command?.startsWith('-'))
    const answers = await Promise.all(explained.map((command) => run(command ?? '', '--help')))
    for (const answer of answers) {
      expect(answer).toEqual({ out: expect.stringMatching(/^[Mm]ilepost\b.*\n/), err: '', code: 0 })
    }
    expect(await run('--version')).toEqual({ out: `${version}\n`, err: '', code: 0 })
    expect(await run('token', '--sub', 'ada')).toEqual({ out: expect.stringMatching(/^\S+\n$/), err: '', code: 0 })
    await mkdir(join(clone, 'from'))
    expect(await run('sync', 'from', 'to')).toMatchObject({ err: '', code: 0 })
    expect(await readdir(join(clone, 'server'))).not.toContain('generated')
  })

  test('a clean clone serves: what it lacks is built first', async () => {
    const launch: Launch = { ...onBun, command: () => [process.execPath, join(clone, 'server/cli/main.ts'), 'serve'] }
    await using server = await ServerProcess.start({}, launch)
    const widget = await fetch(`${server.url}widget.js`)
    expect([widget.status, await widget.text()]).toEqual([200, expect.stringContaining('job-progress')])
  })
})

test('version is that of the package', () => {
  expect([version, version]).toEqual([packageJson.version, denoJson.version])
})
