import { expect, test } from 'bun:test'
import { resolve } from 'node:path'
import { assets } from '../../server/generated/assets.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'

const BINARY = resolve('dist/milepost')

const run = async (...command: string[]) => {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const [printed, code] = await Promise.all([new Response(child.stdout).text(), child.exited])
  return { printed, code }
}

const onBinary: Launch = { ...onBun, command: () => [BINARY, 'serve'] }

test('build:binary makes one file that serves everything, and says what it costs', async () => {
  const built = await run(process.execPath, 'server/cli/build-binary.ts')
  expect(built.code).toBe(0)
  for (const figure of [/size .* MB/, /first answer after .* ms/, /memory when idle .* MB/]) {
    expect(built.printed).toMatch(figure)
  }

  const help = await run(BINARY, '--help')
  expect([help.code, help.printed]).toEqual([0, expect.stringContaining('milepost serve')])
  await using server = await ServerProcess.start({}, onBinary)
  const widget = await fetch(`${server.url}widget.js`)
  expect(await widget.text()).toBe(assets['widget.js'])
  const signedIn = await fetch(server.signInLink, { redirect: 'manual' })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
  const page = await fetch(server.url, { headers: { cookie } })
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('dashboard.js')])
}, 120_000)
