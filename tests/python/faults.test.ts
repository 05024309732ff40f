import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../shared/document/job.ts'
import { SeededRandom } from '../seeded-random.ts'
import { ApiClient } from '../support/api-client.ts'
import { freePort } from '../support/free-port.ts'
import { linesOf } from '../support/lines.ts'
import { reporting, runPython, startPython } from '../support/python.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

let server: ServerProcess
let ada: ApiClient

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
})
afterAll(() => server[Symbol.asyncDispose]())

const html = (status: number, headers: Record<string, string> = {}) =>
  new Response('<h1>Welcome to the WiFi</h1>', { status, headers: { 'content-type': 'text/html', ...headers } })

/** What a proxy says by itself, or a network that wants something of its user first. */
const pages: (() => Response)[] = [
  () => html(200),
  () => html(401),
  () => html(404),
  () => html(409),
  () => html(502, { 'retry-after': '3600' }),
  () => new Response(null, { status: 204 }),
  () => Response.json({ login: true }),
  () => new Response('{"type":"urn:milepost:not-found","detail":"No"}', { status: 404 }),
  () => Response.redirect('http://127.0.0.1:9/', 307),
  () => new Response('{"version":1', { headers: { 'content-type': 'application/json' } }),
]

/** Work that reports much; prints what it is told, and how much was dropped. */
const WORK = `
import milepost, sys, time
milepost.configure(sys.argv[1], milepost._reporter._read_token, lambda problem: print(problem, file=sys.stderr))
milepost._sender.RETRY_FIRST, milepost._sender.RETRY_MAX, milepost._server.FOREIGN_WAIT_MAX = 0.02, 0.1, 0.1
with milepost.job('Work', id=sys.argv[2]) as job:
    for n in range(600):
        job._flush_seconds = 0.01
        job.log(f'{n}')
        job.item(f'{n % 50}', 'running', message=f'{n}')
        job.progress(n + 1, 600)
        time.sleep(0.01)
    job.flush(60)
milepost._reporter._default.close(60)
print(job.dropped)
`
const workOn = (url: string, id: string) => WORK.replace('sys.argv[1]', `'${url}'`).replace('sys.argv[2]', `'${id}'`)

/** Everything arrived, once and in order. */
async function expectAll(id: string, client = ada): Promise<void> {
  const job = await client.read(id)
  expect([job.status, job.progress]).toEqual(['completed', { done: 600, total: 600 }])
  expect(job.logs.map(({ message }) => message)).toEqual(Array.from({ length: 600 }, (_, n) => `${n}`))
  expect(job.logCount).toBe(600)
  // The creation, two statuses, logs, items, and at most as many progress events.
  expect(job.items).toHaveLength(50)
  expect(job.version).toBeGreaterThan(1_203)
  expect(job.version).toBeLessThanOrEqual(1_803)
}

describe('a reporter in Python', () => {
  test('takes no page of a proxy for the word of the server, and nothing is applied twice', async () => {
    const random = new SeededRandom(7)
    await using proxy = lossyProxy(() => random.number())
    const run = await runPython(workOn(proxy.url, 'pages'), await reporting(proxy.url))
    expect([run.code, run.output]).toEqual([0, '0\n'])
    // Whether it was told depends on how many lies came in a row.
    expect(run.errors).toMatch(/^([^\n]* but not as Milepost\. The work goes on[^\n]*\n)?$/)
    expect(proxy.lies()).toBeGreaterThan(20)
    await expectAll('pages')
  })

  test('goes on when the server is killed in the middle, and warns once', async () => {
    await using victim = await ServerProcess.start()
    const client = new ApiClient(victim.url, await accessToken('ada'))
    const doneSoFar = async () => {
      const response = await client.request('GET', 'api/jobs/kills')
      return response.status === 200 ? ((await response.json()) as Job).progress.done : 0
    }
    const program = startPython(workOn(victim.url, 'kills'), await reporting(victim.url))
    const errors = linesOf(program.stderr)
    for (let kills = 0; kills < 4; kills++) {
      while ((await doneSoFar()) <= kills * 100) await Bun.sleep(10)
      await victim.kill()
      if (kills === 0)
        expect((await errors.next()).value).toMatch(/^http\S+ can't be reached \(.*\)\. The work goes on; /)
      await victim.restart()
    }
    expect(await new Response(program.stdout).text()).toBe('0\n')
    expect((await errors.next()).done).toBe(true)
    await expectAll('kills', client)
  })

  test('waits for a token that is accepted, and says so once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-token-'))
    const file = join(folder, 'token')
    await writeFile(file, 'nonsense')
    const env = await reporting(server.url, { MILEPOST_TOKEN_FILE: file })
    const program = startPython(
      `
import milepost, sys
with milepost.job('Token', id='token') as job:
    job.log('a')
    while not milepost._reporter._default._told: pass
    print('told', flush=True)
    while not job.flush(): pass
`,
      env,
    )
    expect((await linesOf(program.stdout).next()).value).toBe('told')
    await writeFile(file, `${await accessToken('ada')}\n`)
    expect(await program.exited).toBe(0)
    expect(await new Response(program.stderr).text()).toMatch(/^The token was refused: [^\n]*\n$/)
    expect((await ada.read('token')).status).toBe('completed')
    await rm(folder, { recursive: true })
  })

  test('sends a batch in halves that a proxy or the server refuses as too large', async () => {
    await using proxy = sizeProxy(3_000)
    const run = await runPython(
      `
import milepost
with milepost.job('Large', id='large') as job:
    for n in range(200): job.log(f'{n}' + 'x' * 100)
    job.log('y' * 5_000)
    job.log('last')
milepost._reporter._default.close()
assert job.dropped == 1, job.dropped
`,
      await reporting(proxy.url),
    )
    expect([run.code, run.errors]).toEqual([0, expect.stringMatching(/refuses 5\d\d\d bytes: raise its limit\n$/)])
    const { logs, status } = await ada.read('large')
    expect([status, logs.length, logs.at(-1)?.message]).toEqual(['completed', 201, 'last'])
  })

  test('keeps a bounded queue without a server, drops the oldest logs first, and lets the work end', async () => {
    const run = await runPython(
      `
import milepost, resource
job = milepost.job('Away')
job.status('running')
for n in range(60_000): job.log('x' * 100)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(30): job.status('running', metadata={'a': 'x' * 1_000_000})
for n in range(20): job.error('x' * 1_000_000)
job.complete()
types = [event.type for event in job._queue._events]
assert len(types) <= 10_000 and job.dropped >= 48_000, (len(types), job.dropped)
assert types.count('status') >= 31, types.count('status')
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 20_000
milepost._reporter._default.close(1)
print(sorted(kind.split()[0] for kind in milepost._reporter._default._told))
`,
      await reporting(`http://127.0.0.1:${freePort()}`),
    )
    expect([run.code, run.output]).toEqual([0, "['away', 'full', 'rejected']\n"])
  })

  test('does not hold up the work while an answer is waited for', async () => {
    await using proxy = muteProxy()
    proxy.mute(1)
    const program = startPython(
      `
import itertools, milepost, time
job = milepost.job('Held')
for n in itertools.count():
    job.log(f'{n}')
    job.progress(n)
    print(n, flush=True)
    time.sleep(0.001)
`,
      await reporting(proxy.url),
    )
    const lines = linesOf(program.stdout)
    await proxy.muted
    for (let n = 0; n < 1_000; n++) expect((await lines.next()).done).toBe(false)
    program.kill('SIGKILL')
    await program.exited
  })

  test('sends the end of a job though the connection before it went mute', async () => {
    await using proxy = muteProxy()
    const program = startPython(
      `
import milepost, time
with milepost.job('Mute', id='mute') as job:
    while not job.flush(): pass
    print('running', flush=True)
    job.log('into the void')
    time.sleep(1)
`,
      await reporting(proxy.url),
    )
    expect((await linesOf(program.stdout).next()).value).toBe('running')
    proxy.mute(1)
    expect(await program.exited).toBe(0)
    const { status, logs } = await ada.read('mute')
    expect([status, logs.length]).toEqual(['completed', 1])
  })

  test('says once that the server has trouble', async () => {
    await using proxy = troubledProxy()
    const run = await runPython(
      `
import milepost
milepost._sender.RETRY_FIRST = 0.01
with milepost.job('Trouble') as job:
    while not milepost._reporter._default._told: pass
milepost._reporter._default.close(1)
`,
      await reporting(proxy.url),
    )
    expect([run.code, run.errors]).toEqual([0, expect.stringMatching(/^http\S+ answers 503: Full\. The work[^\n]*\n$/)])
  })

  test('without a setting says what to set, and the work runs', async () => {
    const env = await reporting('', { MILEPOST_URL: '' })
    const run = await runPython(
      `
import milepost
for row in milepost.track(range(10)): milepost.set_progress(row)
with milepost.job('Nothing') as job: job.log('a')
`,
      env,
    )
    expect([run.code, run.errors]).toEqual([0, 'Nothing is reported: set MILEPOST_URL and MILEPOST_TOKEN.\n'])
  })
})

interface Proxy extends AsyncDisposable {
  url: string
}

/** Answers a third of the requests by itself; half of those the server gets all the same. */
function lossyProxy(random: () => number): Proxy & { lies(): number } {
  let lies = 0
  const proxy = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const isLie = random() < 0.33
      const passed = isLie && random() < 0.5 ? undefined : await pass(request)
      if (passed && !isLie) return passed
      lies += 1
      return pages[lies % pages.length]?.() ?? html(502)
    },
  })
  return { url: proxy.url.href, lies: () => lies, [Symbol.asyncDispose]: () => proxy.stop(true) }
}

/** Refuses bodies over a size, with a page. */
function sizeProxy(most: number): Proxy {
  const proxy = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => (Number(request.headers.get('content-length')) > most ? html(413) : pass(request)),
  })
  return { url: proxy.url.href, [Symbol.asyncDispose]: () => proxy.stop(true) }
}

/** Has a server behind it whose store fails. */
function troubledProxy(): Proxy {
  const problem = { type: 'urn:milepost:unavailable', title: 'Unavailable', status: 503, detail: 'Full' }
  const headers = { 'content-type': 'application/problem+json' }
  const proxy = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => new Response(JSON.stringify(problem), { status: 503, headers }),
  })
  return { url: proxy.url.href, [Symbol.asyncDispose]: () => proxy.stop(true) }
}

/** Never answers some requests, which the server does not get. */
function muteProxy(): Proxy & { mute(count: number): void; muted: Promise<void> } {
  let count = 0
  const muted = Promise.withResolvers<void>()
  const proxy = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      if (count === 0) return pass(request)
      count -= 1
      muted.resolve()
      return new Promise<Response>(() => {})
    },
  })
  return {
    url: proxy.url.href,
    muted: muted.promise,
    mute(requests) {
      count = requests
    },
    [Symbol.asyncDispose]: () => proxy.stop(true),
  }
}

async function pass(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const { method, headers } = request
  const passed = await fetch(new URL(pathname + search, server.url), { method, headers, body: await request.text() })
  return new Response(passed.body, { status: passed.status, headers: passed.headers })
}
