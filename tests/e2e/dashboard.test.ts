import { describe, expect } from 'bun:test'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { createReporter } from '../../client/producer/reporter.ts'
import type { Job } from '../../shared/document/job.ts'
import type { SignInLink } from '../../shared/wire/api.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, looks, openPage } from './browser.ts'

/** A page that is signed in, at the list of jobs. */
async function signIn(server: ServerProcess, options?: BrowserContextOptions): Promise<Page> {
  const page = await openPage(options)
  await page.goto(server.signInLink)
  await page.getByRole('heading', { name: 'Jobs' }).waitFor()
  return page
}

/** Starts a service from the panel, and waits for its job's page. */
async function start(page: Page, service: string, choose?: () => Promise<void>): Promise<void> {
  await page.getByRole('button', { name: 'Start a job' }).click()
  await page.getByRole('radio', { name: service }).check({ force: true })
  await choose?.()
  if (!choose) await page.getByText('The sample is slowed down to take about 15 s.').waitFor()
  await page.getByRole('button', { name: choose ? 'Start' : 'Use the sample', exact: true }).click()
  await page.waitForURL(/\/jobs\//)
}

const textFile = (name: string, text: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) })

const startAnalysis = (page: Page) =>
  start(page, 'Analyse texts', () =>
    page
      .getByRole('button', { name: 'Texts' })
      .setInputFiles([textFile('a.txt', 'one two two'), textFile('b.txt', 'three')]),
  )

/** Waits until the job's own chip says how it stands. */
const untilChip = (page: Page, words: string) =>
  page.locator('main .chip').getByText(words, { exact: true }).first().waitFor()

/** Cancels the job of the page, which asks first. */
async function cancel(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await page.getByRole('button', { name: 'Cancel the job' }).click()
}

/** The document of the job whose page is open, as the server has it. */
const documentOf = (page: Page) =>
  page.evaluate(async (id) => (await (await fetch(`/api/jobs/${id}`)).json()) as unknown, idOf(page)) as Promise<Job>

const idOf = (page: Page) => new URL(page.url()).pathname.split('/').at(-1) ?? ''

describe('dashboard', () => {
  browserTest('the dashboard is alive at the first sign-in: a job is under way', async () => {
    await using server = await ServerProcess.start()
    const page = await signIn(server)
    await page.getByText('Books → Backup').click()
    await untilChip(page, 'Running')
    await page
      .getByText(/[0-9]+ of [0-9]+\sfiles/)
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await untilChip(page, 'Paused')
    await page.getByRole('button', { name: 'Resume' }).click()
    await untilChip(page, 'Running')
    await cancel(page)
    await untilChip(page, 'Cancelled')
    expect((await documentOf(page)).status).toBe('cancelled')
  })

  browserTest(
    "the operator switches to everyone's jobs, live, and finds them so the next time; nobody else can",
    async () => {
      await using server = await ServerProcess.start()
      const root = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
      const linkFor = (sub: string, admin: boolean) =>
        root.json<SignInLink>(201, 'POST', 'api/sign-in-links', { sub, admin })
      // The link that is printed makes the first job, and sees that alone.
      const plain = await signIn(server)
      await plain.getByText('Books → Backup').waitFor()
      expect(await plain.getByRole('button', { name: "Everyone's jobs" }).count()).toBe(0)
      const page = await openPage()
      await page.goto((await linkFor('local', true)).url)
      const reporter = createReporter({ url: server.url, token: await accessToken('alice') })
      const job = await reporter.create({ id: 'export-7', kind: 'export', title: 'Yearly export' })
      await page.getByText('Books → Backup').waitFor()
      expect(await page.getByText('Yearly export').count()).toBe(0)
      await page.getByRole('button', { name: "Everyone's jobs" }).click()
      await page.getByText('export · alice').waitFor()
      await page.getByText('Books → Backup').waitFor()
      job.status({ status: 'running' })
      job.progress({ done: 13, total: 100, unit: 'rows' })
      await page.getByText('13 of 100 rows').waitFor()
      await page.reload()
      await page.getByRole('button', { name: "Everyone's jobs", pressed: true }).waitFor()
      await page.getByText('Yearly export').click()
      await page.getByRole('heading', { name: 'Yearly export' }).waitFor()
      await page.goBack()
      await page.getByRole('link', { name: 'alice' }).click()
      await page.getByText('Books → Backup').waitFor({ state: 'detached' })
      expect(page.url()).toBe(`${server.url}?owner=alice`)
      expect(await axeFindings(page)).toEqual([])
      job.progress({ done: 14 })
      await page.getByText('14 of 100 rows').waitFor()
      await page.getByRole('button', { name: /^Running/ }).click()
      await page.reload()
      await page.getByRole('button', { name: 'alice', pressed: true }).waitFor()
      await page.getByText('14 of 100 rows').waitFor()
      expect(await page.getByText('Books → Backup').count()).toBe(0)
      await page.goto(`${server.url}?owner=nobody`)
      await page.getByText('nobody has no jobs.').waitFor()
      await page.getByRole('button', { name: "Everyone's jobs" }).click()
      await page.getByText('Books → Backup').waitFor()
      expect(await axeFindings(page)).toEqual([])
      await page.getByRole('button', { name: 'My jobs' }).click()
      await page.getByText('export · alice').waitFor({ state: 'detached' })
      await reporter.close()

      const { url } = await linkFor('alice', false)
      const alices = await openPage()
      await alices.goto(url)
      await alices.getByText('export · alice').waitFor()
      expect(await alices.getByRole('button', { name: "Everyone's jobs" }).count()).toBe(0)
      await alices.goto(`${server.url}?owner=local`)
      await alices.getByText('export · alice').waitFor()
    },
  )

  browserTest(
    "an administrator of a tenant switches to everyone's jobs in it; one of all tenants finds and opens any",
    async () => {
      await using server = await ServerProcess.start()
      const root = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
      const open = async (tenant?: string) => {
        const body = { sub: 'chief', admin: true, ...(tenant === undefined ? {} : { tenant }) }
        const page = await openPage()
        await page.goto((await root.json<SignInLink>(201, 'POST', 'api/sign-in-links', body)).url)
        await page.getByRole('button', { name: "Everyone's jobs" }).click()
        return page
      }
      for (const tenant of ['acme', 'umbra']) {
        const alice = new ApiClient(server.url, await accessToken('alice', undefined, { tenant }))
        await alice.create({ id: 'export-7', kind: 'export', title: `Export of ${tenant}` })
      }
      const [chief, everyone] = [await open('acme'), await open()]
      await chief.getByText('export · alice').waitFor()
      expect(await chief.getByText('Export of umbra').count()).toBe(0)
      await everyone.getByText('export · umbra::alice').waitFor()
      await everyone.getByRole('searchbox').fill('acme::')
      await everyone.getByText('Export of umbra').waitFor({ state: 'detached' })
      await everyone.getByText('Export of acme').click()
      await cancel(everyone)
      await untilChip(everyone, 'Cancelled')
      await chief.getByText('Cancelled').first().waitFor()
    },
  )

  browserTest('the analysis starts from the dashboard, and shows what it found', async () => {
    await using server = await ServerProcess.start()
    const page = await signIn(server)
    await startAnalysis(page)
    await untilChip(page, 'Done')
    await page.getByText('Most frequent words').waitFor()
    const job = await documentOf(page)
    expect([job.status, job.steps.map(({ status }) => status)]).toEqual(['completed', Array(5).fill('succeeded')])
  })

  browserTest(
    'each service has a sample, which says that it is slowed down, runs for a while and can be cancelled',
    async () => {
      await using server = await ServerProcess.start()
      const page = await signIn(server)
      for (const service of ['Sync folders', 'Analyse texts', 'Match two lists']) {
        await start(page, service)
        await untilChip(page, 'Running')
        await page
          .getByText(/[1-9][0-9.]* of [1-9][0-9.]*\s(files|kB|records)/)
          .first()
          .waitFor()
        await page
          .getByText(/, slowed down to take 15\ss$/)
          .first()
          .waitFor()
        await cancel(page)
        await untilChip(page, 'Cancelled')
        const { status, metadata } = await documentOf(page)
        expect([status, metadata]).toEqual(['cancelled', { paceSeconds: 15 }])
        await page.goto(server.url)
      }
    },
  )

  browserTest('the matching starts from the dashboard, and links its lists', async () => {
    await using server = await ServerProcess.start()
    const page = await signIn(server)
    await start(page, 'Match two lists', async () => {
      await page.getByLabel('First list').setInputFiles(textFile('left.csv', 'name\nAda\n'))
      await page.getByLabel('Second list').setInputFiles(textFile('right.csv', 'name\nADA\n'))
    })
    await untilChip(page, 'Done')
    await page.getByText('Least certain links').waitFor()
    expect((await documentOf(page)).status).toBe('completed')
  })

  browserTest('the sync takes folders from the dashboard, and copies what differs', async () => {
    await using server = await ServerProcess.start()
    const folder = await mkdtemp(join(tmpdir(), 'milepost-folders-'))
    try {
      for (const [name, text] of [
        ['from/a.txt', 'same'],
        ['from/b/c.txt', 'new'],
        ['to/a.txt', 'same'],
      ] as const) {
        await mkdir(join(folder, name, '..'), { recursive: true })
        await writeFile(join(folder, name), text)
      }
      const page = await signIn(server)
      await start(page, 'Sync folders', async () => {
        await page.getByLabel('From').setInputFiles(join(folder, 'from'))
        await page.getByLabel('To optional').setInputFiles(join(folder, 'to'))
      })
      await untilChip(page, 'Done')
      const { items, result } = await documentOf(page)
      expect(items.map(({ id, status }) => [id, status]).sort()).toEqual([
        ['a.txt', 'skipped'],
        ['b/c.txt', 'succeeded'],
      ])
      expect(result).toMatchObject({ files: 2, copied: 1, skipped: 1, failed: 0 })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  browserTest('a page that loses its server goes on where it was, to the same document', async () => {
    await using server = await ServerProcess.start()
    const page = await signIn(server)
    const reporter = createReporter({ url: server.url, token: await accessToken('local') })
    const job = await reporter.create({ id: 'cut-off', kind: 'import', title: 'Customers' })
    job.status({ status: 'running' })
    job.progress({ done: 1, total: 3, unit: 'rows' })
    job.item({ id: 'row 1', status: 'succeeded' })
    await job.flush()
    await page.goto(`${server.url}jobs/cut-off`)
    await page.getByText('1 of 3 rows').waitFor()
    await server.kill('SIGKILL')
    await page
      .getByRole('main')
      .getByText(/Reconnecting, last seen/)
      .waitFor()
    // What is reported meanwhile waits in the producer.
    job.progress({ done: 3 })
    job.item({ id: 'row 2', status: 'failed', error: 'It has no name' })
    job.status({ status: 'completed', result: { rows: 3 } })
    await server.restart()
    await untilChip(page, 'Done')
    await page.getByRole('tab', { name: /Failed/ }).click()
    await page.getByText('It has no name').waitFor()
    const { version, items, result } = await documentOf(page)
    expect([version, items.length, result]).toEqual([7, 2, { rows: 3 }])
    await reporter.close()
  })

  for (const { colorScheme, width } of looks) {
    browserTest(`axe finds nothing on any page, ${colorScheme}, ${width} pixels wide`, async () => {
      await using server = await ServerProcess.start()
      const page = await signIn(server, { colorScheme, viewport: { width, height: 800 } })
      const found: Record<string, string[]> = {}
      found.list = await axeFindings(page)
      await page.getByRole('button', { name: 'Start a job' }).click()
      found.dialog = await axeFindings(page)
      await page.keyboard.press('Escape')
      await startAnalysis(page)
      await untilChip(page, 'Done')
      found.done = await axeFindings(page)
      await page.goto(server.url)
      await start(page, 'Match two lists')
      await untilChip(page, 'Running')
      found.running = await axeFindings(page)
      await page.goto(`${server.url}jobs/none`)
      await page.getByText("This job does not exist, or it isn't yours.").waitFor()
      found.missing = await axeFindings(page)
      await page.goto(`${server.url}docs/api`)
      await page.getByRole('heading', { name: 'API reference' }).waitFor()
      // In the light it is tested with the documentation.
      if (colorScheme === 'dark') found.docs = await axeFindings(page)
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
      found.signIn = await axeFindings(page)
      for (const [name, findings] of Object.entries(found)) expect([name, findings]).toEqual([name, []])
      // Nothing is wider than the screen.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    })
  }

  browserTest(
    'the page of a job that asks has a form, and shows the answer and the jobs that do its work again',
    async () => {
      await using server = await ServerProcess.start()
      const page = await signIn(server)
      const local = new ApiClient(server.url, await accessToken('local'))
      const old = await local.create({ title: 'First deploy' })
      await local.publish(old.id, { type: 'status', status: 'failed' })
      const { id } = await local.create({ title: 'Deploy', retryOf: old.id })
      const properties = {
        when: { type: 'string', title: 'When?', enum: ['now', 'tonight'] },
        note: { type: 'string' },
        backup: { type: 'boolean', title: 'Make a backup' },
      }
      const schema = { type: 'object', properties, required: ['when'] }
      const ask = { type: 'ask', id: 'go', message: 'Deploy version 7?', schema } as const
      await local.publish(id, { type: 'status', status: 'running' }, ask as never, {
        type: 'ask',
        id: 'b',
        message: 'Sure?',
      })
      await page.goto(`${server.url}jobs/${id}`)
      await page.getByRole('heading', { name: 'Deploy version 7?' }).waitFor()
      await page.getByRole('button', { name: 'Answer' }).click()
      await page.getByText('is required').waitFor()
      expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-invalid'))).toBe('true')
      expect(await axeFindings(page)).toEqual([])
      await page.getByLabel('When?').selectOption('tonight')
      const box = page.getByRole('checkbox', { name: 'Make a backup', exact: true })
      expect(await box.evaluate((input) => input.checkVisibility({ opacityProperty: true }))).toBe(true)
      await box.check()
      await page.getByLabel('note (optional)').fill('After 8')
      await page.keyboard.press('Enter')
      await page.getByText(/when: tonight, backup: Yes, note: After 8 \(local, /).waitFor()
      await page.getByRole('button', { name: 'No', exact: true }).press('Enter')
      await page.getByText(/^No \(local, /).waitFor()
      const { asks = [], openAsks } = await local.read(id)
      expect([asks.map(({ answer }) => answer?.value), openAsks]).toEqual([
        [{ when: 'tonight', note: 'After 8', backup: true }, false],
        undefined,
      ])
      await page.getByRole('link', { name: old.id }).click()
      await page.getByRole('link', { name: 'Deploy' }).waitFor()
    },
  )
})
