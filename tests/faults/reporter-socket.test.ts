import { expect, test } from 'bun:test'
import { createReporter } from '../../client/producer/reporter.ts'
import { ApiClient } from '../support/api-client.ts'
import { DENO } from '../support/on-deno.ts'
import { RuledProxy } from '../support/ruled-proxy.ts'
import { ServerProcess } from '../support/server-process.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { accessToken } from '../support/tokens.ts'

/** Resolves when as many producers have a WebSocket open. */
async function sockets(server: ServerProcess, count: number): Promise<void> {
  const operator = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
  for (;;) {
    const metrics = await (await operator.request('GET', 'metrics')).text()
    if (metrics.includes(`milepost_watchers{view="report"} ${count}\n`)) return
    await Bun.sleep(20)
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })

/** A reporter, what it tells of, and a client of the same user. */
async function begin(server: ServerProcess, url = server.url) {
  const token = await accessToken('ada')
  const problems: string[] = []
  const reporter = createReporter({ url, token, onProblem: (problem) => problems.push(problem) })
  return { reporter, problems, ada: new ApiClient(server.url, token) }
}

test('a reporter hears of a cancel while its work says nothing, before and after it has connected again', async () => {
  await using server = await ServerProcess.start()
  const { reporter, problems, ada } = await begin(server)
  const [first, other] = [reporter.create({ kind: 'test', title: 'A' }), reporter.create({ kind: 'test', title: 'B' })]
  for (const job of [first, other]) job.status({ status: 'running' })
  await reporter.flush()
  for (const job of [first, other]) {
    await sockets(server, 1)
    const { version } = await ada.json<{ version: number }>(202, 'POST', `api/jobs/${job.id}/cancel`)
    await aborted(job.signal)
    expect(job.cancelRequested).toBe(true)
    // It has heard without a report of its own.
    expect((await ada.read(job.id)).version).toBe(version)
    // It is silent, and will connect again.
    if (job === first) await sockets(server, 0)
  }
  for (const job of [first, other]) job.status({ status: 'cancelled' })
  await reporter.close()
  expect([problems, (await ada.read(other.id)).status]).toEqual([[], 'cancelled'])
}, 120_000)

test('a reporter whose server is killed in the middle loses nothing, sends nothing twice, and connects again', async () => {
  await using server = await ServerProcess.start()
  await using proxy = await TcpProxy.start(Number(new URL(server.url).port))
  const { reporter, problems } = await begin(server, `http://127.0.0.1:${proxy.port}/`)
  // Without heartbeats, which repeat the status.
  const job = reporter.create({ kind: 'test', title: 'Killed', heartbeatSeconds: 600 })
  job.status({ status: 'running' })
  await reporter.flush()
  let lines = 0
  const work = async (count: number) => {
    for (const end = lines + count; lines < end; lines++) {
      job.log({ message: `${lines}` })
      if (lines % 10 === 0) void job.flush()
      if (lines % 5 === 0) await Bun.sleep(1)
    }
  }
  for (let kill = 0; kill < 4; kill++) {
    await sockets(server, 1)
    const working = work(300)
    await Bun.sleep(10 * kill)
    await server.kill('SIGKILL')
    await working
    await server.restart()
    proxy.upstream = Number(new URL(server.url).port)
  }
  job.status({ status: 'completed' })
  await reporter.close()
  const client = new ApiClient(server.url, await accessToken('ada'))
  const document = await client.read(job.id)
  expect(document.logs.map(({ message }) => message)).toEqual(
    Array.from({ length: 1_000 }, (_, n) => `${lines - 1_000 + n}`),
  )
  // The creation, `running`, each line, and `completed`.
  expect([document.version, document.status, job.dropped]).toEqual([lines + 3, 'completed', 0])
  // A restart that takes long on a busy machine is told, once.
  expect(problems.filter((problem) => !problem.includes(" can't be reached"))).toEqual([])
  expect(problems.slice(1)).toEqual([])
}, 120_000)

test.each([
  ['a proxy that passes no WebSockets', undefined],
  ['an older server', { type: 'urn:milepost:not-found', status: 404, title: 'Not found', detail: 'Nothing here.' }],
])('a reporter goes on by requests, without a word, at %s', async (_, problem) => {
  await using server = await ServerProcess.start()
  await using proxy = new RuledProxy(server.url)
  const init = { status: 404, headers: { 'content-type': 'application/problem+json' } }
  proxy.rule = ({ url }) => (problem && url.includes('report') ? Response.json(problem, init) : undefined)
  const { reporter, problems, ada } = await begin(server, proxy.url)
  const job = reporter.create({ kind: 'test', title: 'A' })
  job.status({ status: 'running' })
  await reporter.flush()
  while (!proxy.seen.includes('GET /api/report')) await Bun.sleep(20)
  await ada.json(202, 'POST', `api/jobs/${job.id}/cancel`)
  job.progress({ done: 1 })
  await job.flush()
  expect(job.signal.aborted).toBe(true)
  job.status({ status: 'cancelled' })
  await reporter.close()
  expect([problems, (await ada.read(job.id)).version]).toEqual([[], 5])
})

test.each([
  ['Bun', [process.execPath]],
  ['Deno', [DENO, 'run', '--no-prompt', '--allow-net', '--allow-read']],
])(
  'a process on %s that forgets to close its reporter ends, and one with work left hears of a cancel',
  async (_, command) => {
    await using server = await ServerProcess.start()
    const token = await accessToken('ada')
    const ada = new ApiClient(server.url, token)
    const spawn = async (id: string, rest: string) => {
      const path = `dist/reporter-${id}.ts`
      await Bun.write(
        path,
        `import { createReporter } from '../client/producer/reporter.ts'
      const reporter = createReporter({ url: '${server.url}', token: '${token}' })
      const job = reporter.create({ id: '${id}', kind: 'test', title: 'A' })
      job.status({ status: 'running' })
      await job.flush()
      ${rest}`,
      )
      const child = Bun.spawn([...command, path], { stdout: 'pipe', stderr: 'inherit' })
      return { child, [Symbol.asyncDispose]: () => Bun.file(path).delete() }
    }
    // Long enough to have connected.
    await using forgetful = await spawn('forgetful', 'await new Promise((resolve) => setTimeout(resolve, 1_500))')
    await using busy = await spawn(
      'busy',
      `const timer = setInterval(() => {}, 1_000)
    job.signal.addEventListener('abort', () => {
      clearInterval(timer)
      console.log('heard')
    })`,
    )
    await sockets(server, 2)
    expect(await forgetful.child.exited).toBe(0)
    const { version } = await ada.json<{ version: number }>(202, 'POST', 'api/jobs/busy/cancel')
    expect(await new Response(busy.child.stdout).text()).toBe('heard\n')
    expect(await busy.child.exited).toBe(0)
    expect((await ada.read('busy')).version).toBe(version)
  },
  60_000,
)
