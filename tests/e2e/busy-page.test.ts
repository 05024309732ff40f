import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { browserTest, openPage } from './browser.ts'

/** The page of a running job, and its producer. */
async function open(server: ServerProcess, ...events: ProducerEvent[]): Promise<{ page: Page; api: ApiClient }> {
  const api = new ApiClient(server.url, await accessToken('local'))
  await api.create({ id: 'busy', title: 'Busy' })
  await api.publish('busy', { type: 'status', status: 'running' }, ...events)
  const page = await openPage({ extraHTTPHeaders: { authorization: `Bearer ${await accessToken('local')}` } })
  await page.addInitScript(holdFrames)
  await page.goto(`${server.url}jobs/busy`)
  await page.getByRole('heading', { name: 'Busy' }).waitFor()
  return { page, api }
}

type Held = typeof globalThis & { hidden: boolean; show(): void }

/** Runs in the page. While `hidden`, frames wait until `show`, as in a tab that nobody sees: no browser under a test hides one. */
function holdFrames(): void {
  const scope = globalThis as Held
  const { requestAnimationFrame } = scope
  const held: FrameRequestCallback[] = []
  scope.hidden = false
  scope.requestAnimationFrame = (draw) => (scope.hidden ? -held.push(draw) : requestAnimationFrame(draw))
  scope.show = () => {
    scope.hidden = false
    for (const draw of held.splice(0)) requestAnimationFrame(draw)
  }
}

const lines = (from: number, to: number, text = ''): ProducerEvent[] =>
  Array.from({ length: to - from }, (_, i) => ({ type: 'log', message: `line ${from + i}${text}` }))

const items = (status: 'pending' | 'running' | 'succeeded'): ProducerEvent[] =>
  Array.from({ length: 900 }, (_, i) => ({ type: 'item', id: `item ${i}`, status }))

/** Pixels of the log below what is seen of it. */
const belowEnd = (page: Page) =>
  page.locator('.log-box').evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight)

describe('the page of a busy job', () => {
  browserTest('a page that nobody sees has the document as it is when it is seen again', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server, ...items('pending'))
    await page.getByRole('tab', { name: /Waiting 900/ }).waitFor()
    await page.evaluate(() => {
      ;(globalThis as Held).hidden = true
    })
    await api.publish('busy', ...items('running'))
    await api.publish('busy', ...items('succeeded'))
    await api.publish('busy', ...lines(0, 100), { type: 'progress', done: 900, total: 1_000 })
    await page.evaluate(() => (globalThis as Held).show())
    await page.getByRole('tab', { name: /Done 900/ }).waitFor()
    await page.getByText('line 99').waitFor()
    await page.getByText('900 of 1,000').first().waitFor()
    const version = page.locator('dt', { hasText: /^Version$/ }).locator('+ dd')
    await version.getByText((1 + 1 + 900 * 3 + 101).toLocaleString('en')).waitFor()
  })

  browserTest('the log stays at its end while lines of any height go by, and where its reader is', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server, ...lines(0, 999))
    await page.getByText('line 998').waitFor()
    expect(await belowEnd(page)).toBeLessThanOrEqual(8)
    for (let from = 999; from < 1_200; from += 67) {
      await api.publish('busy', ...lines(from, from + 67, ' of which there is a lot to say'.repeat(from % 20)))
      await page.getByText(`line ${from + 66}`).waitFor()
      expect(await belowEnd(page)).toBeLessThanOrEqual(8)
    }
    expect(await page.locator('.lines > div').count()).toBe(1_000)
    await page.getByText('Following').waitFor()

    await page.locator('.log-box').evaluate((box) => box.scrollTo(0, box.scrollHeight / 2))
    await page.getByRole('button', { name: 'To the newest' }).waitFor()
    const seen = await page.locator('.log-box').evaluate((box) => {
      const { top } = box.getBoundingClientRect()
      const visible = [...box.querySelectorAll('.lines > div')].find((line) => line.getBoundingClientRect().top > top)
      return visible?.textContent.replace(/^.*(?=line )/, '') ?? ''
    })
    expect(seen).toStartWith('line ')
    const line = page.locator('.lines > div', { hasText: seen })
    const before = await line.boundingBox()
    await api.publish('busy', ...lines(1_200, 1_230))
    await page.getByText('line 1229').waitFor({ state: 'attached' })
    expect(await line.boundingBox()).toEqual(before)
  })

  browserTest('rows that are held are shown as they are now to whoever asks, though nothing more happens', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server, ...items('running').slice(0, 3))
    await page.locator('.item').first().hover()
    await api.publish('busy', { type: 'item', id: 'item 0', status: 'succeeded' }, { type: 'status', status: 'failed' })
    await page.getByRole('button', { name: /Changed: 1/ }).click()
    await page.getByText('item 0', { exact: true }).waitFor({ state: 'detached' })
    expect(await page.locator('.item .path').allTextContents()).toEqual(['item 1', 'item 2'])
  })

  browserTest('what went wrong is there for whoever opens it', async () => {
    await using server = await ServerProcess.start()
    const { page } = await open(
      server,
      { type: 'item', id: 'a', status: 'failed', error: 'No space left on device' },
      { type: 'error', message: 'The disk is full', code: 'ENOSPC', itemId: 'a' },
      { type: 'error', message: 'The disk is still full' },
    )
    await page.getByText('The disk is full').waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'Errors' }).click()
    await page.getByText('The disk is full').waitFor()
    expect(await page.locator('.errors li span').allTextContents()).toEqual([
      'The disk is still full',
      'The disk is fullENOSPC · a',
    ])
  })
})
