import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { effect } from '@preact/signals-core'
import { systemEnvironment } from '../../client/connection/environment.ts'
import type { JobFacts } from '../../client/connection/job-facts.ts'
import { locateJob } from '../../client/connection/job-url.ts'
import { followHeader } from '../../client/connection/jobs/follow-header.ts'
import { createReporter } from '../../client/producer/reporter.ts'
import { createJobListSignal } from '../../client/signals/job-list-signal.ts'
import { createJobSignal } from '../../client/signals/job-signal.ts'
import { bundle } from '../../server/cli/build/bundle.ts'
import type { Job } from '../../shared/document/job.ts'
import { browserTest, openPage } from '../e2e/browser.ts'
import { ApiClient, unique } from '../support/api-client.ts'
import { counted, fastClock, until } from '../support/fast-watching.ts'
import { RuledProxy } from '../support/ruled-proxy.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'

let server: ServerProcess
let token: string
let api: ApiClient
beforeAll(async () => {
  server = await ServerProcess.start()
  token = await accessToken('ada')
  api = new ApiClient(server.url, token)
  await api.create({ id: 'another' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const redirect = (status: number, location: string) => new Response(null, { status, headers: { location } })

/** Redirects the first three requests to create a job, and the first three with events. */
function redirectPosts(proxy: RuledProxy, status: number, location: string): void {
  const left = { 'POST create': 3, 'POST events': 3 }
  proxy.rule = ({ method, url }) => {
    if (method !== 'POST') return undefined
    const kind = url.includes('/events') ? 'POST events' : 'POST create'
    left[kind] -= 1
    return left[kind] < 0 ? undefined : redirect(status, location)
  }
}

describe('createReporter', () => {
  test.each([
    [302, '/login?state=secret'],
    [302, '/api/jobs'],
    [302, '/api/jobs/not-there'],
    [302, '/api/jobs/another'],
    [301, 'http://127.0.0.1:1/login'],
    [303, '/'],
    [307, '/login'],
    [308, '/api/jobs/another/events'],
  ])('createReporter loses nothing to a proxy that answers %d to %s for a while', async (status, location) => {
    await using proxy = new RuledProxy(server.url)
    redirectPosts(proxy, status, location)
    const problems: string[] = []
    const sent = counted()
    const reporter = createReporter({
      url: proxy.url,
      token,
      clock: fastClock,
      fetch: sent.fetch,
      onProblem: (problem) => problems.push(problem),
    })
    const job = reporter.create({ id: unique('redirected'), kind: 'import', title: 'Contacts' })
    for (let row = 0; row < 5; row++) job.item({ id: `${row}`, status: 'succeeded' })
    job.status({ status: 'completed' })
    // Time enough, however busy the machine is: closing has a deadline.
    await sent.more(8)
    await reporter.close()
    const { origin, pathname } = new URL(location, proxy.url)
    expect(problems).toEqual([
      `${proxy.url.slice(0, -1)} answers with a redirect to ${origin}${pathname}, which is not followed. Set a URL at which Milepost itself answers.`,
    ])
    expect(await api.read(job.id)).toMatchObject({ status: 'completed', itemCounts: { succeeded: 5 }, version: 7 })
    const posts = [...Array(4).fill('POST /api/jobs'), ...Array(4).fill(`POST /api/jobs/${job.id}/events`)]
    expect([job.dropped, proxy.seen]).toEqual([0, posts])
  })

  test('createReporter.close makes one request a try of a redirect to itself', async () => {
    await using proxy = new RuledProxy(server.url)
    proxy.rule = ({ url }) => redirect(307, url)
    const tries = counted()
    const reporter = createReporter({ url: proxy.url, token, clock: fastClock, fetch: tries.fetch })
    const job = reporter.create({ kind: 'import', title: 'Contacts' })
    job.log({ message: 'one' })
    await reporter.close()
    // At least a quarter of a second apart, for five seconds.
    expect(proxy.seen.length).toBeLessThanOrEqual(21)
    expect(job.dropped).toBe(1)
  })

  browserTest('createReporter in a browser loses nothing to redirects, which it is shown nothing of', async () => {
    await using proxy = new RuledProxy(server.url)
    redirectPosts(proxy, 302, '/api/jobs/not-there')
    const { rule } = proxy
    const script = await bundle('client/index.ts')
    proxy.rule = (request) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/page') return new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })
      if (pathname === '/client.js') return new Response(script, { headers: { 'content-type': 'text/javascript' } })
      return rule(request)
    }
    const page = await openPage()
    await page.goto(`${proxy.url}page`)
    const id = unique('redirected')
    const result = await page.evaluate(
      async ([url, bearer, jobId]) => {
        const { createReporter } = (await import(`${url}client.js`)) as typeof import('../../client/index.ts')
        const problems: string[] = []
        const onProblem = (problem: string) => problems.push(problem)
        const reporter = createReporter({ url, token: bearer, onProblem })
        const job = reporter.create({ id: jobId, kind: 'import', title: 'Contacts' })
        job.status({ status: 'completed' })
        await reporter.close()
        return [problems, job.dropped]
      },
      [proxy.url, token, id] as const,
    )
    expect(result).toEqual([
      [
        `${proxy.url.slice(0, -1)} answers with a redirect, which is not followed. Set a URL at which Milepost itself answers.`,
      ],
      0,
    ])
    expect(await api.read(id)).toMatchObject({ status: 'completed' })
  })
})

describe('watchers', () => {
  /** Follows a job in the three ways that there are without an EventSource. */
  function watch(baseUrl: string, jobId: string) {
    const environment = { ...systemEnvironment(), EventSource: undefined, clock: fastClock }
    const [one, all, header] = [counted(), counted(), counted()]
    const watched = createJobSignal({
      jobId,
      baseUrl,
      bearer: token,
      environment: { ...environment, fetch: one.fetch },
    })
    const list = createJobListSignal({ baseUrl, bearer: token, environment: { ...environment, fetch: all.fetch } })
    const withToken = (url: string, init?: RequestInit) =>
      header.fetch(url, { ...init, headers: { authorization: `Bearer ${token}` } })
    let facts: JobFacts | undefined
    const stops = [
      effect(() => void watched.job.value),
      effect(() => void list.rows.value),
      followHeader(locateJob(`${baseUrl}/api/jobs/${jobId}`, null), { ...environment, fetch: withToken }, (known) => {
        facts = known
      }),
    ]
    const row = () => list.rows.value.find(({ job }) => job.id === jobId)?.job
    return {
      /** Resolves once all three have been answered that many times more. */
      more: (count: number) => Promise.all([one.more(count), all.more(count), header.more(count)]),
      connections: () => [watched.connection.value, list.connection.value, facts?.connection],
      /** Resolves once all three have what was done. */
      async haveDone(done: number): Promise<void> {
        await until(() => watched.job.value?.progress.done === done && row()?.progress.done === done)
        while (facts?.job?.progress.done !== done) await header.more(1)
      },
      [Symbol.dispose]() {
        for (const stop of stops) stop()
      },
    }
  }

  test('watchers take no redirect for word of the job: neither a page nor a problem of Milepost about something else', async () => {
    await using proxy = new RuledProxy(server.url)
    const { id } = await api.create({})
    await api.publish(id, { type: 'progress', done: 0 })
    using watching = watch(proxy.url.slice(0, -1), id)
    await watching.haveDone(0)
    let done = 0
    for (const location of ['/login', '/api/jobs/not-there', '/api/not-there']) {
      proxy.rule = ({ url }) => {
        const { pathname } = new URL(url)
        if (pathname === '/login') return new Response('<h1>Sign in</h1>', { headers: { 'content-type': 'text/html' } })
        return pathname === location ? undefined : redirect(302, location)
      }
      await server.kill('SIGTERM')
      await server.restart()
      done += 1
      await api.publish(id, { type: 'progress', done })
      await watching.more(3)
      expect([location, ...watching.connections()]).toEqual([location, ...Array(3).fill('reconnecting')])
      proxy.rule = () => undefined
      await watching.haveDone(done)
    }
  }, 180_000)

  test('watchers follow a redirect that leads to the job', async () => {
    await using proxy = new RuledProxy(server.url)
    const { id } = await api.create({})
    await api.publish(id, { type: 'progress', done: 1 })
    proxy.rule = ({ url }) => (url.includes('/old/') ? redirect(308, url.replace('/old/', '/')) : undefined)
    using watching = watch(`${proxy.url}old`, id)
    await watching.haveDone(1)
    expect(watching.connections().slice(0, 2)).toEqual(['live', 'live'])
  })
})

describe('milepost', () => {
  async function run(args: string[], env: Record<string, string>) {
    const child = Bun.spawn([process.execPath, 'server/cli/main.ts', ...args], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { out, err, code: await child.exited }
  }

  test('milepost sync reports all of its work through a proxy that redirects for a while', async () => {
    await using proxy = new RuledProxy(server.url)
    let left = 2
    proxy.rule = ({ url }) => (url.includes('/events') && left-- > 0 ? redirect(302, '/api/jobs/not-there') : undefined)
    const folder = await mkdtemp(join(tmpdir(), 'milepost-redirects-'))
    await writeFile(join(folder, 'a.txt'), 'a')
    const title = unique('sync')
    const { err, code } = await run(['sync', folder, `${folder}-copy`, '--url', proxy.url, '--title', title], {
      MILEPOST_TOKEN: token,
    })
    expect([err, code]).toEqual(['', 0])
    const { jobs } = await api.json<{ jobs: Job[] }>(200, 'GET', 'api/jobs')
    expect(jobs.find((job) => job.title === title)).toMatchObject({
      status: 'completed',
      itemCounts: { succeeded: 1 },
    })
    await Promise.all([folder, `${folder}-copy`].map((path) => rm(path, { recursive: true })))
  }, 180_000)

  test('milepost sync copies everything, and says why the server refused its events', async () => {
    await using proxy = new RuledProxy(server.url)
    const problem = {
      type: 'urn:milepost:conflict',
      status: 409,
      title: 'Conflict',
      detail: 'The job is cancelled already.',
    }
    const refusal = () =>
      Response.json(problem, { status: 409, headers: { 'content-type': 'application/problem+json' } })
    proxy.rule = ({ url }) => (url.includes('/events') ? refusal() : undefined)
    const folder = await mkdtemp(join(tmpdir(), 'milepost-redirects-'))
    await writeFile(join(folder, 'a.txt'), 'a')
    const { out, err, code } = await run(['sync', folder, `${folder}-copy`, '--url', proxy.url], {
      MILEPOST_TOKEN: token,
    })
    for (const made of [folder, `${folder}-copy`]) await rm(made, { recursive: true })
    const page = /http\S+/.exec(out)?.[0]
    expect([out, err, code]).toEqual([
      expect.stringContaining('1 copied, 0 unchanged'),
      `${page} is not up to date: the server refused events. It answers 409: The job is cancelled already.\n`,
      1,
    ])
  })

  test('milepost sync and sign-in say where a server redirects to, and follow it with no token', async () => {
    await using proxy = new RuledProxy(server.url)
    proxy.rule = ({ url }) => redirect(301, url.replace('127.0.0.1', 'localhost'))
    const { origin } = new URL(proxy.url)
    const there = origin.replace('127.0.0.1', 'localhost')
    const wrong = (path: string) =>
      `It answers with a redirect to ${there}/api/${path}, which is not followed. Set the URL with ${there} instead of ${origin}.`
    const folder = await mkdtemp(join(tmpdir(), 'milepost-redirects-'))
    const sync = await run(['sync', folder, `${folder}-copy`, '--url', proxy.url], { MILEPOST_TOKEN: token })
    for (const made of [folder, `${folder}-copy`]) await rm(made, { recursive: true })
    expect([sync.code, sync.err]).toEqual([1, expect.stringContaining(wrong('jobs'))])
    const signIn = await run(['sign-in', '--url', proxy.url], { MILEPOST_SECRET: SECRET })
    expect([signIn.code, signIn.err]).toEqual([1, expect.stringContaining(wrong('sign-in-links'))])
    expect(proxy.seen).toEqual(['POST /api/jobs', 'POST /api/sign-in-links'])
  })
})
