import { expect, test } from 'bun:test'
import { effect } from '@preact/signals-core'
import { type Environment, systemEnvironment } from '../../client/connection/environment.ts'
import { createReporter } from '../../client/producer/reporter.ts'
import { createJobListSignal } from '../../client/signals/job-list-signal.ts'
import { createJobSignal } from '../../client/signals/job-signal.ts'
import { openPage } from '../e2e/browser.ts'
import { missingBrowser } from '../support/chromium.ts'
import { counted, fastClock, until } from '../support/fast-watching.ts'
import { missingNginx } from '../support/nginx.ts'
import { RoutedNginx } from '../support/routed-nginx.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** A test that needs programs of the machine: skipped, by name and with the reason, where one is missing. */
function withPrograms(missing: (string | undefined)[], name: string, run: () => Promise<void>): void {
  const why = missing.find((reason) => reason !== undefined)
  if (why === undefined) test(name, run, 120_000)
  else test.skip(`${name} (${why})`, () => {})
}

/** What nginx says by itself when a route is wrong, or closed, or when a network wants something of its user first. */
const pages = [
  'return 404;',
  'return 401;',
  "return 200 '<h1>Welcome to the WiFi</h1>';",
  'default_type application/json; return 200 \'{"login":true}\';',
  'return 204;',
]

withPrograms(
  [missingNginx()],
  "a reporter and those who watch take no page of a proxy's for the server's word, and end with the right document",
  async () => {
    await using server = await ServerProcess.start()
    await using nginx = await RoutedNginx.start(server.url)
    const token = await accessToken('ada')
    const [sent, seen, listed] = [counted(), counted(), counted()]
    const problems: string[] = []
    const reporter = createReporter({
      url: nginx.url,
      token,
      clock: fastClock,
      fetch: sent.fetch,
      onProblem: (problem) => problems.push(problem),
    })
    // The clock is too fast for heartbeats.
    const work = reporter.create({ kind: 'import', title: 'Contacts', heartbeatSeconds: 10_000 })
    work.status({ status: 'running' })
    await work.flush()

    const environment: Environment = { ...systemEnvironment(), EventSource: undefined, clock: fastClock }
    const watched = createJobSignal({
      jobId: work.id,
      baseUrl: nginx.url,
      bearer: token,
      environment: { ...environment, fetch: seen.fetch },
    })
    const list = createJobListSignal({
      baseUrl: nginx.url,
      bearer: token,
      environment: { ...environment, fetch: listed.fetch },
    })
    const row = () => list.rows.value.find(({ job }) => job.id === work.id)
    const stops = [effect(() => void watched.job.value), effect(() => void list.rows.value)]
    await until(() => watched.job.value?.status === 'running' && row() !== undefined)

    let done = 0
    for (const page of pages) {
      await nginx.answer(page)
      done += 1
      work.progress({ done })
      void work.flush()
      await Promise.all([sent.more(3), seen.more(3), listed.more(3)])
      expect([page, watched.connection.value, list.connection.value]).toEqual([page, 'reconnecting', 'reconnecting'])
      await nginx.passOn()
      await until(() => watched.job.value?.progress.done === done && row()?.job.progress.done === done)
    }

    // The server itself is away: nginx says 502.
    await server.kill()
    work.status({ status: 'completed' })
    await Promise.all([sent.more(2), seen.more(2), listed.more(2)])
    await server.restart()
    await until(() => watched.connection.value === 'ended' && row()?.job.status === 'completed')
    await reporter.close()
    expect(watched.job.value).toMatchObject({ status: 'completed', progress: { done }, version: 2 + done + 1 })
    // Five such answers in a row are told, once.
    const others = problems.filter((problem) => !/ answers with status \d+, but not as Milepost does\./.test(problem))
    expect([work.dropped, others, problems.slice(1)]).toEqual([0, [], []])
    for (const stop of stops) stop()
  },
)

withPrograms(
  [missingNginx(), missingBrowser()],
  'an element and a dashboard in a browser outlive the pages of a proxy',
  async () => {
    await using server = await ServerProcess.start()
    await using nginx = await RoutedNginx.start(server.url)
    const token = await accessToken('local')
    const work = createReporter({ url: server.url, token }).create({ id: 'j1', kind: 'import', title: 'Contacts' })
    work.status({ status: 'running' })
    work.progress({ done: 1, total: 3 })
    await work.flush()
    await nginx.addPage(
      'orders.html',
      '<!doctype html><script type="module" src="/widget.js"></script><job-progress src="/api/jobs/j1"></job-progress>',
    )
    const page = await openPage()
    await page.goto(server.signInLink.replace(server.url, nginx.url))
    const dashboard = page.locator('.job-row')
    await dashboard.getByText('1 of 3').waitFor()
    const shop = await page.context().newPage()
    await shop.goto(`${nginx.url}orders.html`)
    const element = shop.locator('job-progress')
    await element.getByText('1 of 3').waitFor()

    for (const [route, status] of [
      ['return 404;', 404],
      ["return 200 '<h1>Welcome to the WiFi</h1>';", 200],
    ] as const) {
      await nginx.answer(route)
      // Both ask at once when somebody comes back to look: for a stream, and, to see why there is none, for the job.
      const look = () => window.dispatchEvent(new Event('visibilitychange'))
      const come = () => Promise.all([page.evaluate(look), shop.evaluate(look)])
      await nginx.hasAnswered(16, `GET ${status}`, come)
      await element.getByText(/^Reconnecting/).waitFor()
      expect(await dashboard.count()).toBe(1)
      await nginx.passOn()
      await come()
      await element.getByText('1 of 3').waitFor()
    }
    work.progress({ done: 3, total: 3 })
    work.status({ status: 'completed' })
    await work.close()
    await element.getByText(/^3 in /).waitFor()
    await dashboard.getByText(/^3 in /).waitFor()
  },
)
