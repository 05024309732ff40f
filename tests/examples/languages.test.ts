import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { blocks } from './blocks.ts'

let server: ServerProcess
let ada: ApiClient

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
})
afterAll(() => server[Symbol.asyncDispose]())

/** Runs a block of languages.md as it stands. */
async function run(language: string, file: string, ...command: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-language-'))
  try {
    const [code = ''] = await blocks('server/docs/languages.md', language)
    await writeFile(join(folder, file), code)
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      GO111MODULE: 'off',
      MILEPOST_URL: server.url.replace(/\/$/, ''),
      MILEPOST_TOKEN: await accessToken('ada'),
    }
    const program = Bun.spawn([...command, file], { cwd: folder, env, stdout: 'inherit', stderr: 'inherit' })
    expect(await program.exited).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('languages.md', () => {
  for (const { id, file, command } of [
    { id: 'go', file: 'main.go', command: ['/usr/bin/go', 'run'] },
    { id: 'php', file: 'main.php', command: ['/usr/bin/php'] },
  ]) {
    test.skipIf(!existsSync(command[0] ?? ''))(`has a function that reports from ${id}`, async () => {
      await run(id, file, ...command)
      const { title, status, progress } = await ada.read(`${id}-1`)
      expect([title, status, progress]).toEqual(['Yearly export', 'completed', { done: 13, total: 100, unit: 'rows' }])
    })
  }
})
