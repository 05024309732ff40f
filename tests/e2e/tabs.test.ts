import { describe, expect } from 'bun:test'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { browserTest, openPage } from './browser.ts'

/** An application on an origin of its own, in tabs of one browser. */
class Tabs {
  readonly server: ServerProcess
  readonly #site: Bun.Server<undefined>
  readonly #admin: ApiClient
  readonly context: BrowserContext

  private constructor(server: ServerProcess, site: Bun.Server<undefined>, admin: ApiClient, context: BrowserContext) {
    this.server = server
    this.#site = site
    this.#admin = admin
    this.context = context
  }

  /** @param pingSeconds often, so that nobody has to wait for a ping */
  static async start(pingSeconds = 1): Promise<Tabs> {
    const entrypoint = fileURLToPath(new URL('tabs-page.ts', import.meta.url))
    const { outputs } = await Bun.build({ entrypoints: [entrypoint], target: 'browser' })
    const script = (await outputs[0]?.text()) ?? ''
    const site: Bun.Server<undefined> = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) =>
        url.endsWith('.js')
          ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
          : new Response('<!doctype html><title>Tab</title><script type="module" src="/page.js"></script>', {
              headers: { 'content-type': 'text/html' },
            }),
    })
    const server = await ServerProcess.start({
      MILEPOST_ORIGINS: site.url.origin,
      MILEPOST_PING_SECONDS: `${pingSeconds}`,
    })
    const admin = new ApiClient(server.url, await accessToken('admin', 'jobs:admin'))
    const first = await openPage()
    // Browsers without a display show every tab.
    await first.context().addInitScript(() => {
      let isHidden = false
      Object.defineProperty(document, 'visibilityState', { get: () => (isHidden ? 'hidden' : 'visible') })
      addEventListener('test-hide', () => {
        isHidden = true
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      })
      addEventListener('test-show', () => {
        isHidden = false
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      })
    })
    return new Tabs(server, site, admin, first.context())
  }

  async open(bearer: string, jobs: readonly string[], more: Record<string, string> = {}): Promise<Page> {
    const page = await this.context.newPage()
    const query = new URLSearchParams([
      ['server', this.server.url],
      ['bearer', bearer],
      ...Object.entries(more),
      ...jobs.map((id) => ['job', id]),
    ])
    await page.goto(`${this.#site.url}?${query}`)
    return page
  }

  /** Open streams, as the server counts them. */
  async streams(): Promise<number> {
    const text = await (await this.#admin.request('GET', 'metrics')).text()
    return Number(/^milepost_streams (\d+)$/m.exec(text)?.[1])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#site.stop(true)
    await this.server[Symbol.asyncDispose]()
  }
}

/** Resolves once something holds, which it must within half a minute, or as many tenths of a second as there are tries. */
async function until(what: () => Promise<unknown>, expected: unknown, most = 300): Promise<void> {
  for (let tries = 0; tries < most; tries++) {
    if (Bun.deepEquals(await what(), expected)) return
    await Bun.sleep(100)
  }
  expect(await what()).toEqual(expected)
}

const shown = (page: Page) => page.evaluate(() => window.shown())
const documents = async (page: Page) =>
  Object.fromEntries(Object.entries(await shown(page)).map(([id, [job]]) => [id, job]))
const hide = (page: Page) => page.evaluate(() => void dispatchEvent(new Event('test-hide')))
const show = (page: Page) => page.evaluate(() => void dispatchEvent(new Event('test-show')))

async function world(count: number, pingSeconds?: number) {
  const tabs = await Tabs.start(pingSeconds)
  const bearer = await accessToken('ada')
  const api = new ApiClient(tabs.server.url, bearer)
  const ids = Array.from({ length: count }, (_, index) => `job-${index}`)
  for (const id of ids) await api.create({ id })
  const publishAll = (done: number) =>
    Promise.all(
      ids.map((id) =>
        api.publish(
          id,
          { type: 'progress', done, total: 100 },
          { type: 'item', id: `${done % 7}`, status: 'running', message: `${done}` },
          { type: 'log', message: `Line ${done}` },
        ),
      ),
    )
  const truth = async (): Promise<Record<string, Job>> =>
    Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await api.read(id)] as const)))
  return {
    tabs,
    bearer,
    api,
    ids,
    publishAll,
    truth,
    /** Resolves once each page has the documents of the server. */
    async untilTrue(pages: readonly Page[]): Promise<void> {
      const documentsNow = await truth()
      for (const page of pages) await until(() => documents(page), documentsNow)
    },
    [Symbol.asyncDispose]: () => tabs[Symbol.asyncDispose](),
  }
}

describe('tabs', () => {
  browserTest(
    'seven tabs with 20 jobs share one stream, more than a browser gives connections, and each has the documents of the server',
    async () => {
      await using test = await world(20)
      const { tabs, bearer, ids } = test
      await test.publishAll(1)
      const pages: Page[] = []
      for (let tab = 0; tab < 7; tab++) {
        pages.push(await tabs.open(bearer, ids))
        if (tab % 3 === 0) await test.publishAll(2 + tab)
      }
      await test.untilTrue(pages)
      await until(() => tabs.streams(), 1)
      for (let done = 20; done < 24; done++) await test.publishAll(done)
      await test.untilTrue(pages)
      expect(await tabs.streams()).toBe(1)
    },
  )

  browserTest(
    'a tab that leads and is killed while events arrive is followed by another; no status flickers',
    async () => {
      await using test = await world(4)
      const { tabs, bearer, ids } = test
      const pages = [await tabs.open(bearer, ids)]
      await test.untilTrue(pages)
      for (let tab = 0; tab < 3; tab++) pages.push(await tabs.open(bearer, tab === 0 ? ids.slice(1) : ids))
      pages.splice(1, 1)
      await test.untilTrue(pages)
      for (let round = 1; round <= 2; round++) {
        const publishing = (async () => {
          for (let done = round * 10; done < round * 10 + 8; done++) await test.publishAll(done)
        })()
        const [leader] = pages.splice(0, 1)
        await leader?.close()
        await publishing
        await test.untilTrue(pages)
        await until(() => tabs.streams(), 1)
      }
      const [last] = pages
      expect(new Set(await last?.evaluate(() => window.statuses))).toEqual(new Set(['connecting', 'live']))
    },
  )

  browserTest(
    'hidden tabs let go of their stream, a visible one takes it from them, and all is there when seen again',
    async () => {
      await using test = await world(3)
      const { tabs, bearer, ids } = test
      const [first, second] = [await tabs.open(bearer, ids), await tabs.open(bearer, ids)]
      await test.untilTrue([first, second])
      await hide(first)
      await test.publishAll(1)
      // A hidden tab costs nothing as long as another is seen.
      await test.untilTrue([first, second])
      expect(await tabs.streams()).toBe(1)
      await hide(second)
      await until(() => tabs.streams(), 0)
      await test.publishAll(2)
      await show(first)
      await test.untilTrue([first, second])
      await until(() => tabs.streams(), 1)
    },
  )

  browserTest('tabs of different people never share, and neither has what the other may not see', async () => {
    await using test = await world(2)
    const { tabs, bearer, ids } = test
    const other = await accessToken('bob')
    const theirs = new ApiClient(tabs.server.url, other)
    await theirs.create({ id: 'of-bob' })
    const all = [...ids, 'of-bob']
    const [ada, bob] = [await tabs.open(bearer, all), await tabs.open(other, all)]
    const have = async (page: Page) =>
      Object.entries(await shown(page)).map(([id, [job, connection]]) => [id, job?.owner, connection])
    await until(
      () => have(ada),
      all.map((id) => (id === 'of-bob' ? [id, undefined, 'not-found'] : [id, 'ada', 'live'])),
    )
    await until(
      () => have(bob),
      all.map((id) => (id === 'of-bob' ? [id, 'bob', 'live'] : [id, undefined, 'not-found'])),
    )
    expect(await tabs.streams()).toBe(2)
  })

  browserTest(
    'a tab whose token ends does not end the others of its viewer: one whose token is good takes over',
    async () => {
      await using test = await world(2)
      const { tabs, bearer, ids } = test
      const short = await accessToken('ada', undefined, { exp: Math.floor(Date.now() / 1_000) + 4 })
      const first = await tabs.open(short, ids, { viewer: 'ada' })
      await test.untilTrue([first])
      const second = await tabs.open(bearer, ids, { viewer: 'ada' })
      await test.untilTrue([second])
      const connections = async (page: Page) => Object.values(await shown(page)).map(([, connection]) => connection)
      await until(() => connections(first), ['expired', 'expired'])
      await test.publishAll(1)
      await test.untilTrue([second])
      expect(await second.evaluate(() => window.statuses)).not.toContain('expired')
    },
  )

  browserTest(
    'a tab that says that it leads, as one does that was frozen, is corrected by the one that does',
    async () => {
      await using test = await world(2, 30)
      const { tabs, bearer, ids } = test
      const pages = [await tabs.open(bearer, ids), await tabs.open(bearer, ids)]
      await test.untilTrue(pages)
      const stranger = await tabs.open(bearer, [])
      const leader = () =>
        stranger.evaluate(async () => (await navigator.locks.query()).held?.map(({ clientId }) => clientId))
      const before = await leader()
      await stranger.evaluate(async () => {
        const { name = '' } = (await navigator.locks.query()).held?.[0] ?? {}
        new BroadcastChannel(name).postMessage({
          type: 'lead',
          leader: 'before',
          isHidden: false,
          status: 'live',
          asks: false,
        })
      })
      await test.publishAll(1)
      const truth = await test.truth()
      // Half the time to the next ping.
      for (const page of pages) await until(() => documents(page), truth, 150)
      expect(await leader()).toEqual(before)
    },
  )

  browserTest('an id that no job can have is not found, and the other jobs of the page go on', async () => {
    await using test = await world(1)
    const { tabs, bearer, ids } = test
    const wrong = ['', 'a b', 'y'.repeat(20_000)]
    const page = await tabs.open(bearer, ids)
    await test.untilTrue([page])
    const other = await tabs.open(bearer, [...ids, ...wrong.slice(0, 2)])
    await page.evaluate(async ([id = '']) => {
      const { name = '' } = (await navigator.locks.query()).held?.[0] ?? {}
      const wants = { [id]: '' }
      new BroadcastChannel(name).postMessage({ type: 'want', tab: 'another', n: 1, wants, isNew: true })
    }, wrong.slice(2))
    const connections = async () => Object.values(await shown(other)).map(([, connection]) => connection)
    await until(connections, ['live', 'not-found', 'not-found'])
    await test.publishAll(1)
    await test.untilTrue([page, other])
    await until(() => tabs.streams(), 1)
  })

  browserTest('messages of other scripts, and of a tab that does not lead any more, change nothing', async () => {
    await using test = await world(2)
    const { tabs, bearer, ids } = test
    const pages = [await tabs.open(bearer, ids), await tabs.open(bearer, ids)]
    await test.untilTrue(pages)
    const before = await test.truth()
    await test.publishAll(1)
    await test.untilTrue(pages)
    const stranger = await tabs.open(bearer, [])
    await stranger.evaluate(async (old) => {
      const { name = '' } = (await navigator.locks.query()).held?.[0] ?? {}
      const channel = new BroadcastChannel(name)
      const types = ['want', 'bye', 'ask', 'full', 'open', 'message', 'other']
      const malformed = types.flatMap((type) => [
        { type },
        { type, tab: 'a', n: 1, wants: null },
        { type, tab: 'b', n: 1, wants: { 'job-0': 5, 'job-1': null }, heard: null, name: 5, data: null },
      ])
      for (const message of [null, undefined, 1, 'text', [], ...malformed]) channel.postMessage(message)
      for (const [jobId, job] of Object.entries(old)) {
        channel.postMessage({ type: 'message', leader: 'before', name: 'snapshot', data: { jobId, ...job } })
      }
    }, before)
    await Bun.sleep(500)
    await test.untilTrue(pages)
    await test.publishAll(2)
    await test.untilTrue(pages)
    for (const page of pages) expect(await page.evaluate(() => window.uncaught)).toEqual([])
  })
})

describe('tabs of the dashboard', () => {
  browserTest('four lists and four jobs in tabs take two streams, and all of them load', async () => {
    await using server = await ServerProcess.start()
    const api = new ApiClient(server.url, await accessToken('local'))
    const admin = new ApiClient(server.url, await accessToken('admin', 'jobs:admin'))
    await api.create({ id: 'import-1', title: 'Imported contacts' })
    const first = await openPage()
    await first.goto(server.signInLink)
    const pages: Page[] = [first]
    for (let tab = 0; tab < 7; tab++) {
      const page = await first.context().newPage()
      page.setDefaultTimeout(60_000)
      await page.goto(tab < 3 ? server.url : `${server.url}jobs/import-1`)
      pages.push(page)
    }
    for (const page of pages) await page.getByText('Imported contacts').first().waitFor()
    await api.publish('import-1', { type: 'status', status: 'running', title: 'Renamed contacts' })
    for (const page of pages) await page.getByText('Renamed contacts').first().waitFor()
    const text = await (await admin.request('GET', 'metrics')).text()
    expect(/^milepost_streams (\d+)$/m.exec(text)?.[1]).toBe('2')
  })
})
