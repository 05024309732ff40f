import { describe, expect } from 'bun:test'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, openPage } from './browser.ts'

/** The page of a running job, and its producer. */
async function open(server: ServerProcess, ...events: ProducerEvent[]): Promise<{ page: Page; api: ApiClient }> {
  const token = await accessToken('local')
  const api = new ApiClient(server.url, token)
  await api.create({ id: 'nightly', kind: 'export', title: 'Nightly export' })
  await api.publish('nightly', { type: 'status', status: 'running' }, ...events)
  const page = await openPage({ locale: 'en-US', extraHTTPHeaders: { authorization: `Bearer ${token}` } })
  await page.goto(`${server.url}jobs/nightly`)
  await page.getByRole('heading', { name: 'Nightly export' }).waitFor()
  return { page, api }
}

describe('the page of a job', () => {
  browserTest('a job that is not there is said at once, whatever its stream does', async () => {
    await using server = await ServerProcess.start()
    const page = await openPage()
    await page.route('**/api/progress?**', () => {})
    await page.goto(server.signInLink)
    await page.goto(`${server.url}jobs/none`)
    await page.getByRole('heading', { name: 'This job does not exist' }).waitFor()
    await page.getByRole('link', { name: 'Show all jobs' }).waitFor()
    expect(await page.title()).toStartWith('This job does not exist')
  })

  browserTest(
    'a job is cancelled only by those who say so twice; the steps that it cuts off were not skipped',
    async () => {
      await using server = await ServerProcess.start()
      const { page, api } = await open(
        server,
        { type: 'step', id: 'read', status: 'succeeded' },
        { type: 'step', id: 'write', status: 'running' },
        { type: 'step', id: 'check', status: 'pending' },
        { type: 'progress', done: 42, total: 100, unit: 'rows' },
        { type: 'log', message: 'Started' },
      )
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.locator('main .chip').getByText('Pausing', { exact: true }).waitFor()
      await page.getByRole('button', { name: 'Resume' }).click()
      await page.locator('main .chip').getByText('Running', { exact: true }).waitFor()

      // One way to write the time of day on a page.
      expect(await page.locator('.log time').textContent()).toMatch(/^\d\d:\d\d:\d\d\s[AP]M$/)

      await page.getByRole('button', { name: 'Cancel', exact: true }).click()
      const dialog = page.getByRole('dialog', { name: 'Cancel this job?' })
      await dialog.waitFor()
      expect(await axeFindings(page)).toEqual([])
      await dialog.getByRole('button', { name: 'Let it run' }).click()
      await dialog.waitFor({ state: 'detached' })
      expect((await api.read('nightly')).cancelRequested).toBe(false)
      await page.getByRole('button', { name: 'Cancel', exact: true }).click()
      await dialog.getByRole('button', { name: 'Cancel the job' }).click()
      await page.locator('main .chip').getByText('Cancelling').waitFor()
      await api.publish('nightly', { type: 'status', status: 'cancelled' })
      await page.locator('main .chip').getByText('Cancelled').waitFor()
      expect(await page.locator('.steps li').allInnerTexts()).toEqual([
        expect.stringContaining('Done'),
        expect.stringContaining('Interrupted'),
        expect.stringContaining('Not started'),
      ])
      expect(await axeFindings(page)).toEqual([])
    },
  )

  browserTest(
    'its log is searched and saved, its items too; its time is drawn; its end is told to those who asked',
    async () => {
      await using server = await ServerProcess.start()
      const { page, api } = await open(
        server,
        { type: 'step', id: 'read', status: 'running' },
        { type: 'step', id: 'read', status: 'succeeded' },
        { type: 'step', id: 'write', status: 'running' },
        { type: 'step', id: 'check', status: 'pending' },
        { type: 'item', id: 'a.txt', status: 'succeeded' },
        { type: 'item', id: 'b.txt', status: 'failed', error: '=1+1, "no" way' },
        { type: 'log', message: 'Reads the files' },
        { type: 'log', message: 'The disk is slow', level: 'warn' },
        { type: 'progress', done: 42, total: 100, unit: 'rows' },
      )
      await page.getByRole('heading', { name: 'Timeline' }).waitFor()
      expect(await page.locator('.timeline .name').allTextContents()).toEqual(['read', 'write'])
      await page.locator('link[rel="icon"][href*="dasharray%3D%2240%20100"]').waitFor({ state: 'attached' })

      await page.getByRole('searchbox', { name: 'Search the log' }).fill('DISK')
      await page.getByText('Lines found: 1').waitFor()
      expect(await page.locator('.log-box .lines span').allTextContents()).toEqual(['Warning The disk is slow'])
      const saved = async (name: string) => {
        const download = page.waitForEvent('download')
        await page.getByRole('button', { name }).click()
        return readFile(await (await download).path(), 'utf8')
      }
      const lines = (await saved('Save as NDJSON')).trim().split('\n')
      expect(lines.map((line) => JSON.parse(line).message)).toEqual(['Reads the files', 'The disk is slow'])
      expect((await saved('Save as CSV')).split('\r\n')).toEqual([
        'id,label,status,progress,message,error',
        'a.txt,,succeeded,,,',
        `b.txt,,failed,,,"'=1+1, ""no"" way"`,
        '',
      ])
      expect(await axeFindings(page)).toEqual([])

      await page.evaluate(() => {
        const told: string[] = []
        class Told {
          static requestPermission = async () => 'granted'
          constructor(title: string, { body }: { body: string }) {
            told.push(`${title} | ${body}`)
          }
        }
        Object.assign(globalThis, { Notification: Told, told })
      })
      await page.getByRole('button', { name: 'Notify me' }).click()
      await page.getByRole('button', { name: 'Notify me', pressed: true }).waitFor()
      await api.publish('nightly', { type: 'status', status: 'failed', message: 'No space left' })
      await page.waitForFunction(() => (globalThis as unknown as { told: string[] }).told.length > 0)
      expect(await page.evaluate(() => (globalThis as unknown as { told: string[] }).told)).toEqual([
        'Nightly export | Failed: No space left',
      ])
      await page.emulateMedia({ media: 'print' })
      expect(await page.getByRole('button', { name: 'Delete' }).isVisible()).toBe(false)
    },
  )

  browserTest(
    'a row of the list has the percent; what the server did not answer is forgotten once it does',
    async () => {
      await using server = await ServerProcess.start()
      const { page } = await open(server, { type: 'progress', done: 42, total: 100, unit: 'rows' })
      await page.route('**/pause', (route) => route.abort())
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByRole('main').getByText('The server does not answer.').waitFor()
      await server.kill('SIGKILL')
      await page
        .getByRole('main')
        .getByText(/Reconnecting, last seen/)
        .waitFor()
      await page.getByRole('main').getByText('The server does not answer.').waitFor()
      await server.restart()
      await page.getByRole('main').getByText('The server does not answer.').waitFor({ state: 'detached' })

      await page.getByRole('link', { name: 'Jobs', exact: true }).click()
      await page.locator('.job-row .when').getByText('42 %').waitFor()
    },
  )
})
