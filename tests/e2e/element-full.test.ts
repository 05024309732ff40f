import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, openPage } from './browser.ts'
import { EmbeddingPage } from './embedding-page.ts'

const run: ProducerEvent = { type: 'status', status: 'running' }
const work: ProducerEvent[] = [
  run,
  { type: 'step', id: 'read', label: 'Read', status: 'succeeded' },
  { type: 'step', id: 'write', label: 'Write', status: 'running' },
  { type: 'item', id: 'a.txt', status: 'failed', error: 'No space left on device' },
  { type: 'item', id: 'b.txt', status: 'running' },
  { type: 'error', message: 'The disk is full', code: 'ENOSPC' },
  { type: 'log', level: 'warn', message: 'It is slow' },
  { type: 'progress', done: 42, total: 100, unit: 'files' },
]

/** A page of the server's own origin, whose reader owns the job, under a policy that allows no inline style and no inline script. */
async function openAsOwner(server: ServerProcess, html: string): Promise<Page> {
  const page = await openPage({ extraHTTPHeaders: { authorization: `Bearer ${await accessToken('ada')}` } })
  page.setDefaultTimeout(20_000)
  const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
  await page.route('**/app', (route) =>
    route.fulfill({
      headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
      body: `<!doctype html><html lang="en"><title>App</title><script type="module" src="widget.js"></script><main><h1>App</h1>${html}</main></html>`,
    }),
  )
  await page.goto(`${server.url}app`)
  return page
}

const full = (id: string) => `<job-progress variant="full" src="api/jobs/${id}"></job-progress>`

describe('job-progress variant="full"', () => {
  browserTest('full shows steps, items, errors and the log to who has a token, live, and nothing to do', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'full', title: 'Export' })
    await site.api.publish('full', ...work)
    const looks = [
      [{ colorScheme: 'light' }, 'ltr'],
      [{ colorScheme: 'dark', viewport: { width: 360, height: 800 } }, 'rtl'],
      [{ forcedColors: 'active' }, 'ltr'],
    ] as const
    for (const [look, dir] of looks) {
      const page = await site.open(await site.element('full', 'variant="full"'), look, dir)
      await page.getByText('No space left on device').waitFor()
      await page.getByText('The disk is full').waitFor()
      await page.getByText('Log (1)').click()
      await page.getByText('It is slow').waitFor()
      expect(await page.getByRole('button').count()).toBe(0)
      expect([look, await axeFindings(page)]).toEqual([look, []])
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
      if (!('forcedColors' in look)) await page.context().close()
      else {
        await site.api.publish('full', { type: 'item', id: 'c.txt', status: 'failed', error: 'Not readable' })
        await page.getByText('Not readable').waitFor()
        await page.getByText('Failed (2)').waitFor()
      }
    }
  })

  browserTest('full lets the owner answer, pause and cancel, by keyboard, under a strict policy', async () => {
    await using server = await ServerProcess.start()
    const api = new ApiClient(server.url, await accessToken('ada'))
    await api.create({ id: 'deploy', title: 'Deploy' })
    await api.publish('deploy', run, { type: 'ask', id: 'go', message: 'Deploy to production?' })
    const page = await openAsOwner(server, full('deploy'))
    const violations: string[] = []
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted/.test(message.text())) violations.push(message.text())
    })
    await page.locator('.chip').getByText('Needs you').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Yes' }).press('Enter')
    await page.locator('.chip').getByText('Running').waitFor()
    expect((await api.read('deploy')).asks?.[0]?.answer?.value).toBe(true)
    await page.getByRole('button', { name: 'Pause' }).press('Enter')
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).press('Enter')
    await page.getByRole('button', { name: 'Keep it running' }).press('Escape')
    await page.getByRole('button', { name: 'Cancel' }).press('Enter')
    await page.getByRole('button', { name: 'Cancel the job' }).click()
    await page.locator('.chip').getByText('Cancelling').waitFor()
    expect(violations).toEqual([])
  })

  browserTest('cancel() of the element asks the server; the end is told in the names of the platform', async () => {
    await using server = await ServerProcess.start()
    const api = new ApiClient(server.url, await accessToken('ada'))
    await api.create({ id: 'job' })
    await api.publish('job', run, { type: 'progress', done: 1, total: 4 })
    const page = await openAsOwner(server, '<job-progress src="api/jobs/job"></job-progress>')
    await page.locator('.line').getByText('1 of 4').waitFor()
    await page.evaluate(async () => {
      const element = document.querySelector('job-progress') as HTMLElement & { cancel(): Promise<void> }
      const told: unknown[] = []
      Object.assign(window, { told })
      for (const name of ['progress', 'load', 'error', 'abort', 'loadend'])
        element.addEventListener(name, (event) => told.push([name, (event as ProgressEvent).loaded]))
      await element.cancel()
    })
    expect((await api.read('job')).cancelRequested).toBe(true)
    await api.publish('job', { type: 'progress', done: 2 }, { type: 'status', status: 'cancelled' })
    await page.locator('.chip').getByText('Cancelled').waitFor()
    const told = await page.evaluate(() => (window as unknown as { told: unknown[] }).told)
    expect(told.slice(-3)).toEqual([
      ['progress', 2],
      ['abort', 2],
      ['loadend', 2],
    ])
    const refused = page.evaluate(() =>
      (document.querySelector('job-progress') as unknown as { pause(): Promise<void> }).pause(),
    )
    await expect(refused).rejects.toThrow('The job is cancelled already.')
  })
})
