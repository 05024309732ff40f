import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { assets } from '../../server/generated/assets.ts'
import { hostileFolder } from '../support/hostile-folder.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'

const BINARY = resolve('dist/milepost')

const run = async (command: string[], cwd = process.cwd()) => {
  const { PATH, HOME } = process.env
  const child = Bun.spawn(command, { cwd, env: { PATH, HOME }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [printed, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { printed, said, code }
}

const onBinary: Launch = { ...onBun, command: () => [BINARY, 'serve'] }

let built: Awaited<ReturnType<typeof run>>
let hostile: string
beforeAll(async () => {
  built = await run([process.execPath, 'server/cli/build/build-binary.ts'])
  hostile = await hostileFolder()
}, 120_000)
afterAll(() => rm(hostile, { recursive: true }))

test('build:binary makes one file that serves everything, and says what it costs', async () => {
  expect(built).toMatchObject({ code: 0, said: '' })
  for (const figure of [/size .* MB/, /first answer after .* ms/, /memory when idle .* MB/]) {
    expect(built.printed).toMatch(figure)
  }

  const help = await run([BINARY, '--help'])
  expect([help.code, help.printed]).toEqual([0, expect.stringContaining('milepost serve')])
  await using server = await ServerProcess.start({}, onBinary)
  const widget = await fetch(`${server.url}widget.js`)
  expect(await widget.text()).toBe(assets['widget.js'])
  const signedIn = await fetch(server.signInLink, { redirect: 'manual' })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
  const page = await fetch(server.url, { headers: { cookie } })
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('dashboard.js')])
}, 120_000)

test('build:binary makes a program that obeys no file of the folder that it is called from', async () => {
  expect(await run([BINARY, '--help'], hostile)).toEqual(await run([BINARY, '--help']))
  const { printed, said, code } = await run([BINARY, 'token', '--sub', 'ada'], hostile)
  expect([printed, said, code]).toEqual(['', expect.stringMatching(/^Set MILEPOST_SECRET.*\n$/), 1])
})
