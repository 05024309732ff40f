import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, openPage } from './browser.ts'

/** A list of running jobs: `Job 0` is the oldest. */
async function open(server: ServerProcess, count: number): Promise<{ page: Page; api: ApiClient }> {
  const token = await accessToken('local')
  const api = new ApiClient(server.url, token)
  for (let from = 0; from < count; from += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, count - from) }, async (_, i) => {
        await api.create({ id: `job-${from + i}`, kind: 'export', title: `Job ${from + i}` })
        await api.publish(`job-${from + i}`, { type: 'status', status: 'running' })
      }),
    )
  }
  const page = await openPage({ extraHTTPHeaders: { authorization: `Bearer ${token}` } })
  await page.goto(server.url)
  await page.locator('.job-row').first().waitFor()
  return { page, api }
}

describe('the list of jobs', () => {
  browserTest('only the rows in sight are drawn, and all of them can be reached', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server, 200)
    await page.getByRole('button', { name: /^All 200/ }).waitFor()
    expect(await page.locator('.job-row').count()).toBeLessThan(40)
    expect(await page.locator('.job-row').first().getAttribute('aria-setsize')).toBe('200')
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
    await page.locator('.job-row[aria-posinset="200"]').waitFor()
    expect(await page.locator('.job-row').count()).toBeLessThan(40)
    expect(await axeFindings(page)).toEqual([])
    // A row in sight changes where it is.
    const last = page.locator('.job-row').last()
    const title = await last.locator('a').textContent()
    await api.publish(`job-${title?.slice(4)}`, { type: 'progress', done: 42, total: 100, unit: 'rows' })
    await last.getByText('42 of 100 rows').waitFor()

    // What is not in the live list is found by the server.
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        api.publish(`job-${i}`, { type: 'status', status: i % 10 === 0 ? 'failed' : 'completed' }),
      ),
    )
    await page.goto(`${server.url}?show=failed`)
    // Ten of them are older than the live list.
    await page.locator('.job-row[aria-setsize="20"]').first().waitFor()
    await page.goto(`${server.url}?search=export+job-7`)
    await page.getByRole('link', { name: 'Job 7', exact: true }).waitFor()
    await page.locator('.job-row[aria-setsize="11"]').first().waitFor()
    await page.getByRole('searchbox').fill('nowhere to be found')
    await page.getByText('No job matches').waitFor()
    // Older ones come when the end of the list is in sight.
    await page.goto(server.url)
    await page.locator('.job-row[aria-setsize="100"]').first().waitFor()
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
    await page.locator('.job-row[aria-setsize="200"]').first().waitFor()
    expect(await page.locator('.job-row').count()).toBeLessThan(40)
  })

  browserTest('many jobs are cancelled and deleted at once, with a way back', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server, 4)
    for (const id of ['job-0', 'job-1']) await api.publish(id, { type: 'status', status: 'completed' })
    await page.locator('.job-row').getByText('Done').nth(1).waitFor()
    await page.getByRole('button', { name: 'Select', exact: true }).click()
    for (const name of ['Job 0', 'Job 1', 'Job 3']) await page.getByRole('checkbox', { name }).check()
    await page.getByRole('button', { name: 'Cancel 1' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.getByRole('button', { name: 'Delete 2' }).click()
    await page.getByText('Job 0').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('Job 0').waitFor()
    expect((await api.read('job-0')).status).toBe('completed')

    await page.getByRole('button', { name: 'Select all' }).click()
    await page.getByRole('button', { name: 'Delete 2' }).click()
    await page.getByText('Job 0').waitFor({ state: 'detached' })
    // Whoever goes to another page has not undone it.
    await page.getByRole('link', { name: 'Job 3' }).click()
    await page.getByRole('heading', { name: 'Job 3' }).waitFor()
    await page.goBack()
    await page.getByRole('button', { name: /^All 2/ }).waitFor()
    expect((await api.refusal('GET', 'api/jobs/job-0')).status).toBe(404)

    await page.getByRole('button', { name: 'Select', exact: true }).click()
    await page.getByRole('checkbox', { name: 'Job 2' }).check()
    await page.getByRole('button', { name: 'Cancel 1' }).click()
    await page.getByRole('button', { name: 'Select', exact: true }).click()
    await page.locator('.job-row').getByText('Cancelling').waitFor()
    await page.keyboard.press('Control+k')
    const field = page.getByRole('combobox', { name: 'A page or a job' })
    await field.waitFor()
    expect(await axeFindings(page)).toEqual([])
    await field.fill('job-3')
    await page.getByRole('option', { name: 'Job 3', selected: true }).waitFor()
    await field.fill('jobs:')
    await page.keyboard.press('ArrowDown')
    await page.getByRole('option', { name: 'Jobs: Done', selected: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Done/, pressed: true }).waitFor()
    const manifest = await page.evaluate(async () => {
      const link = document.querySelector<HTMLLinkElement>('link[rel="manifest"]')
      return (await fetch(link?.href ?? '')).json() as Promise<{ icons: { src: string }[] }>
    })
    expect((await fetch(new URL(manifest.icons[0]?.src ?? '', server.url))).headers.get('content-type')).toBe(
      'image/svg+xml',
    )

    expect([(await api.read('job-2')).cancelRequested, (await api.read('job-3')).cancelRequested]).toEqual([
      true,
      false,
    ])
  })
})
