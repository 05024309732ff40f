import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { browserTest, openPage } from './browser.ts'

/** A signed-in page, and the producer of the jobs that it shows. */
async function open(server: ServerProcess): Promise<{ page: Page; api: ApiClient }> {
  const page = await openPage()
  await page.goto(server.signInLink)
  await page.getByRole('heading', { name: 'Jobs' }).waitFor()
  return { page, api: new ApiClient(server.url, await accessToken('local')) }
}

/** What has the focus: its name, as it is heard. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const { activeElement } = document
    return activeElement?.getAttribute('aria-label') ?? activeElement?.textContent?.trim() ?? ''
  })

const press = async (page: Page, ...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key)
}

/** Waits until something has the focus. */
const untilFocused = (page: Page, name: RegExp) =>
  page.waitForFunction(
    ([source, flags]) => {
      const { activeElement } = document
      const text = activeElement?.getAttribute('aria-label') ?? activeElement?.textContent ?? ''
      return new RegExp(source ?? '', flags).test(text.trim())
    },
    [name.source, name.flags],
  )

const items = (from: number, to: number, fields: object): ProducerEvent[] =>
  Array.from({ length: to - from }, (_, i) => ({ type: 'item', id: `item ${from + i}`, ...fields }))

describe('dashboard, by keyboard', () => {
  browserTest('the list is searched and left by keyboard, and a job read: tabs, items, and the way back', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server)
    await api.create({ id: 'photos', title: 'Photo archive' })
    await api.publish(
      'photos',
      { type: 'status', status: 'running' },
      ...items(0, 2, { status: 'failed', error: 'No space left on device' }),
      ...items(2, 40, { status: 'succeeded' }),
    )
    await page.getByText('Photo archive').waitFor()

    await press(page, '/')
    await page.keyboard.type('photo')
    await page.waitForURL(/search=photo/)
    expect(await page.locator('.job-row').count()).toBe(1)
    await press(page, 'Escape')
    await page.waitForURL((url) => url.search === '')
    await page.keyboard.type('photo')
    await page.waitForURL(/search=photo/)
    await page.getByRole('link', { name: 'Photo archive' }).focus()
    await press(page, 'Enter')
    await page.waitForURL(/jobs\/photos/)
    await untilFocused(page, /^Photo archive$/)
    expect(await page.title()).toContain('Photo archive')

    await page.getByRole('tab', { name: /Failed 2/ }).focus()
    await press(page, 'ArrowRight', 'ArrowRight')
    await untilFocused(page, /^Done 38$/)
    expect(await page.getByRole('tab', { selected: true }).textContent()).toContain('Done')
    await press(page, 'Home', 'Tab')
    await untilFocused(page, /item 0/)
    await press(page, 'ArrowDown')
    await untilFocused(page, /item 1/)
    await press(page, 'Enter')
    await page.locator('dd').getByText('No space left on device').waitFor()
    // One stop for all rows: the next is beyond the list.
    await press(page, 'Tab')
    expect(await focused(page)).not.toContain('item')

    await page.goBack()
    await untilFocused(page, /^Jobs$/)
  })

  browserTest('dialogs keep the focus, close by Escape, and give it back', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server)
    await page.getByRole('button', { name: 'Start a job' }).focus()
    await press(page, 'Enter')
    await page.getByRole('dialog', { name: 'Start a job' }).waitFor()
    // The search is not for those who are in a dialog.
    await press(page, 'Tab', '/')
    expect(await page.evaluate(() => document.activeElement?.closest('dialog') !== null)).toBe(true)
    await press(page, 'Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('Start a job')

    await api.create({ id: 'short-lived', title: 'Short-lived' })
    await page.getByRole('link', { name: 'Short-lived' }).click()
    await page.getByRole('button', { name: 'Delete' }).focus()
    await press(page, 'Enter')
    await page.getByRole('dialog', { name: 'Delete this job?' }).waitFor()
    await press(page, 'Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    expect(await focused(page)).toBe('Delete')
    await press(page, 'Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter')
    await page.waitForURL(server.url)
    await page.getByRole('status').getByText('The job was deleted.').waitFor()
    await page.getByRole('link', { name: 'Short-lived' }).waitFor({ state: 'hidden' })
  })

  browserTest('100,000 items are read to their end, with no more drawn than fit', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server)
    await api.create({ id: 'large', title: 'Large' })
    await api.publish('large', { type: 'status', status: 'running' })
    for (let from = 0; from < 100_000; from += 1_000)
      await api.publish('large', ...items(from, from + 1_000, { status: 'pending' }))
    await page.goto(`${server.url}jobs/large`)
    await page.getByRole('tab', { name: /Waiting 100,000/ }).focus()
    await press(page, 'Tab', 'End')
    await untilFocused(page, /item 99999/)
    await press(page, 'PageUp')
    await untilFocused(page, /item 9999[0-9]/)
    await press(page, 'Home')
    await untilFocused(page, /item 0$|item 0\D/)
    expect(await page.locator('.item').count()).toBeLessThan(50)
    expect(await page.locator('.item').first().getAttribute('aria-setsize')).toBe('100000')
  })

  browserTest('rows stay where they are under a pointer, and the log under the eyes of its reader', async () => {
    await using server = await ServerProcess.start()
    const { page, api } = await open(server)
    await api.create({ id: 'calm', title: 'Calm' })
    const line = (message: string): ProducerEvent => ({ type: 'log', message })
    const lines = Array.from({ length: 100 }, (_, i) => line(`line ${i}`))
    await api.publish('calm', { type: 'status', status: 'running' }, ...items(0, 3, { status: 'running' }), ...lines)
    await page.goto(`${server.url}jobs/calm`)
    await page.getByText('line 99').waitFor()
    await page.locator('.item').first().hover()
    await page.locator('.log-box').evaluate((box) => box.scrollTo(0, 300))
    await page.getByRole('button', { name: 'To the newest' }).waitFor()
    await api.publish('calm', { type: 'item', id: 'item 0', status: 'succeeded' }, line('one more'))
    await page.getByText('one more').waitFor({ state: 'attached' })
    await page.getByRole('button', { name: /Changed: 1/ }).waitFor()
    expect(await page.locator('.item .path').allTextContents()).toEqual(['item 0', 'item 1', 'item 2'])
    expect(await page.locator('.log-box').evaluate((box) => box.scrollTop)).toBe(300)
    // Whoever leaves lets go.
    await page.getByRole('heading', { name: 'Calm' }).hover()
    await page.getByRole('button', { name: /Changed: 1/ }).waitFor({ state: 'hidden' })
    expect(await page.locator('.item .path').allTextContents()).toEqual(['item 1', 'item 2'])
    await page.getByRole('button', { name: 'To the newest' }).click()
    await page.getByText('one more').waitFor()
    await page.getByText('Following').waitFor()
  })
})
