import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Job } from '../../shared/document/job.ts'
import { blocks } from '../examples/blocks.ts'
import { ApiClient } from '../support/api-client.ts'
import { DEBIAN_PYTHON, missingModule, reporting, runPython } from '../support/python.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

let server: ServerProcess
let ada: ApiClient

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
})
afterAll(() => server[Symbol.asyncDispose]())

/** Runs a block of Python as it stands, and returns its job. */
async function jobOf(document: string, word: string): Promise<Job> {
  const code = (await blocks(document, 'python')).find((block) => block.includes(word)) ?? ''
  const { code: exit } = await runPython(code, await reporting(server.url), DEBIAN_PYTHON)
  expect(exit).toBe(0)
  const { jobs } = await ada.json<{ jobs: Job[] }>(200, 'GET', 'api/jobs?limit=1')
  return ada.read(jobs[0]?.id ?? '')
}

describe('the documentation', () => {
  test('README reports from Python', async () => {
    const { kind, title, status, progress } = await jobOf('README.md', 'track')
    expect([kind, title, status, progress]).toEqual([
      'import',
      'Customers',
      'completed',
      { done: 100, total: 100, unit: 'rows' },
    ])
  })

  test.skipIf(missingModule('tqdm') !== undefined)('README reports the bars of tqdm', async () => {
    const { title, status, progress } = await jobOf('README.md', 'import tqdm')
    expect([title, status, progress]).toMatchObject(['Customers', 'completed', { done: 100, total: 100 }])
  })

  test('languages.md reports items and log lines from Python', async () => {
    const { status, itemCounts, logs } = await jobOf('server/docs/languages.md', 'LogHandler')
    expect([status, itemCounts.succeeded, itemCounts.failed]).toEqual(['completed', 2, 1])
    expect(logs.map(({ level, message }) => [level, message])).toEqual([['warn', 'WARNING:root:A row has no name']])
  })

  test.skipIf(missingModule('tqdm') !== undefined)('languages.md reports the bars of tqdm', async () => {
    const { status, progress, steps } = await jobOf('server/docs/languages.md', 'import tqdm')
    expect([status, progress.done, steps.length]).toEqual(['completed', 3, 3])
  })
})
