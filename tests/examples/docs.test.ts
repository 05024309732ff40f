import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { linesOf } from '../support/lines.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { blocks } from './blocks.ts'

/** What differs from run to run, in the same words: epochs, times, waits, samples of the pace. */
const settle = (text: string) =>
  text
    .replace(/\b[a-z0-9]{8}-(?=[0-9]+\b)/g, 'EPOCH-')
    .replace(/"epoch":"[a-z0-9]{8}"/g, '"epoch":"EPOCH"')
    .replace(/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/g, 'TIME')
    .replace(/"pace":\{.*?\}/g, '"pace":PACE')
    .replace(/^retry: [0-9]+$/gm, 'retry: N')

/** The messages of a stream, until a number of them are there. */
async function* messagesOf(response: Response): AsyncGenerator<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    const whole = text.split('\n\n')
    text = whole.pop() ?? ''
    yield* whole
  }
}

/** The batches of the run whose messages wire.md shows. */
const batches: object[] = [
  { type: 'status', status: 'running' },
  { type: 'progress', done: 13, total: 100, unit: 'rows' },
  { type: 'step', id: 'read', status: 'running', label: 'Read' },
  { type: 'item', id: 'a.csv', status: 'failed', error: 'No header line' },
  { type: 'error', message: 'Skipped a.csv', itemId: 'a.csv' },
  { type: 'log', message: 'Reading b.csv' },
]
const many = Array.from({ length: 12 }, (_, index) => ({ type: 'progress', done: 20 + index }))
const last = [
  { type: 'progress', done: 100 },
  { type: 'status', status: 'completed', result: { rows: 100 } },
]

/** Runs TypeScript where the names of the package are known; on Node as the JavaScript that a bundler makes of it. */
async function runHere(runtime: 'Bun' | 'Node', code: string): Promise<void> {
  const folder = await mkdtemp(join(import.meta.dir, 'docs-'))
  const run = async (...command: string[]) => {
    const program = Bun.spawn(command, { cwd: folder, stdout: 'ignore', stderr: 'inherit' })
    expect(await program.exited).toBe(0)
  }
  try {
    await writeFile(join(folder, 'report.ts'), code)
    if (runtime === 'Bun') return await run(process.execPath, 'report.ts')
    await run(process.execPath, 'build', 'report.ts', '--target=node', '--outfile=report.mjs')
    await run('node', 'report.mjs')
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the documentation', () => {
  test('wire.md shows messages as a server sends them', async () => {
    await using server = await ServerProcess.start()
    const alice = new ApiClient(server.url, await accessToken('alice'))
    await alice.request('POST', 'api/jobs', { id: 'export-7', kind: 'export', title: 'Yearly export' })
    const streams = await Promise.all(
      ['api/jobs/export-7/progress', 'api/progress?job=export-7', 'api/progress'].map(async (path) =>
        messagesOf(await alice.request('GET', path)),
      ),
    )
    const said: string[] = []
    const ended = streams.map(async (stream) => {
      for await (const message of stream) {
        said.push(settle(message))
        if (message.includes('event: end')) return
      }
    })
    /** Each in a frame of its own: once the one before has reached all three streams. */
    const publish = async (batch: object) => {
      const receipt = await alice.request('POST', 'api/jobs/export-7/events', batch)
      const { version } = (await receipt.json()) as { version: number }
      await reached(version)
      return receipt
    }
    const reached = async (version: number) => {
      const at = (message: string) => message.includes(`EPOCH-${version}`)
      while (said.filter(at).length < 3) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await reached(1)
    for (const batch of batches) await publish(batch)
    await alice.request('POST', 'api/jobs/export-7/pause')
    await reached(8)
    await publish(many)
    await alice.request('POST', 'api/jobs/export-7/events', last)
    await Promise.all(ended)
    const shown = await blocks('server/docs/wire.md', 'event-stream')
    expect(shown.length).toBeGreaterThan(6)
    for (const message of shown.flatMap((block) => settle(block).trim().split('\n\n'))) expect(said).toContain(message)
  })

  test('wire.md has a client that comes to the document of the server, alone from what the page says', async () => {
    const [code = ''] = await blocks('server/docs/wire.md', 'js')
    await using server = await ServerProcess.start()
    const token = await accessToken('alice')
    const alice = new ApiClient(server.url, token)
    const folder = await mkdtemp(join(tmpdir(), 'milepost-docs-'))
    try {
      await writeFile(join(folder, 'watch.mjs'), code)
      await alice.request('POST', 'api/jobs', { id: 'large', kind: 'export', title: 'Large', metadata: { a: 1 } })
      const publish = (batch: object) => alice.request('POST', 'api/jobs/large/events', batch)
      // In several pages.
      for (let part = 0; part < 4; part++)
        await publish(
          Array.from({ length: 1_000 }, (_, index) => ({
            type: 'item',
            id: `${part}-${index}`,
            label: 'l'.repeat(60),
          })),
        )
      const client = Bun.spawn([process.execPath, 'watch.mjs', server.url.replace(/\/$/, ''), 'large', token], {
        cwd: folder,
        stdout: 'pipe',
        stderr: 'inherit',
      })
      const lines = linesOf(client.stdout)
      const first = JSON.parse((await lines.next()).value ?? '') as Job
      expect(first.items).toHaveLength(4_000)
      // One by one, so that each comes as an event and not in a patch, whose header would hide a mistake.
      const more = [
        { type: 'item', id: '0-0', status: 'running' },
        { type: 'step', id: 'read', status: 'succeeded' },
        { type: 'status', status: 'running', metadata: null },
        { type: 'status', status: 'pending' },
        // Open until the job ends: then nobody is asked any more.
        { type: 'ask', id: 'go-on', message: 'Go on?' },
      ]
      for (const batch of [...batches, ...more, many, last]) {
        await publish(batch)
        const { pace: _, ...truth } = (await (await alice.request('GET', 'api/jobs/large')).json()) as Job
        let shown: Omit<Job, 'pace'>
        do shown = JSON.parse((await lines.next()).value ?? '{}') as Job
        while (shown.version < truth.version)
        expect(shown).toEqual(truth)
      }
      expect(await client.exited).toBe(0)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('README creates a job, reports on it and follows it from the shell', async () => {
    await using server = await ServerProcess.start()
    const lines = (await blocks('README.md', 'sh')).find((code) => code.includes('api()'))?.split('\n') ?? []
    // The server runs already, on another port; and the stream has no end.
    const calls = lines.slice(lines.findIndex((line) => line.startsWith('api()')))
    const code = calls.join('\n').replaceAll('localhost:8787/', server.url).replace('api -N', 'api -N --max-time 2')
    const shell = Bun.spawn(['sh', '-uc', `token=$TOKEN\n${code}`], {
      env: { ...process.env, TOKEN: await accessToken('local') },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const output = await new Response(shell.stdout).text()
    expect(output).toContain('event: snapshot')
    expect(output).toContain('"progress":{"done":13,"total":100,"unit":"rows"}')
    expect(output).not.toContain('urn:milepost:')
  })

  test.each([
    ['app.md', 'Bun', 'server/docs/app.md'],
    ['README', 'Bun', 'README.md'],
    // Before version 22 Node has no WebSocket that keeps the process alive for what waits.
    ['README', 'Node', 'README.md'],
  ] as const)('%s has a reporter that reports, on %s', async (_, runtime, path) => {
    await using server = await ServerProcess.start()
    const token = await accessToken('alice')
    const block = (await blocks(path, 'ts')).find((block) => block.includes('createReporter')) ?? ''
    const [first = '', ...rest] = block.replace('https://progress.example/', server.url).split('\n')
    const given = `const url = '${server.url}'
const token = '${token}'
const rows = [1, 2, 3]
// Long enough for the first receipt, after which events gather.
const importRow = (_: number) => new Promise((resolve) => setTimeout(resolve, 50))
const store = importRow
void [url, store]`
    await runHere(runtime, [first, given, ...rest].join('\n'))
    const alice = new ApiClient(server.url, token)
    const { jobs } = (await (await alice.request('GET', 'api/jobs')).json()) as { jobs: Job[] }
    expect(jobs.map(({ status, progress }) => [status, progress.done])).toEqual([['completed', 3]])
    expect(jobs[0]?.startedAt).toBeString()
  })

  test('index.md creates a job and reports on it from the shell', async () => {
    await using server = await ServerProcess.start()
    const env = { ...process.env, SERVER: server.url.replace(/\/$/, ''), TOKEN: await accessToken('alice') }
    for (const code of await blocks('server/docs/index.md', 'sh')) {
      const shell = Bun.spawn(['sh', '-euc', code], { env, stdout: 'pipe', stderr: 'pipe' })
      const output = await new Response(shell.stdout).text()
      expect(await shell.exited).toBe(0)
      expect(output).toContain('"progress":{"done":13,"total":100,"unit":"rows"}')
    }
  })
})
