import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { SignInLink } from '../../shared/wire/api.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { signIn } from '../support/sign-in.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, looks, openPage } from './browser.ts'

/** A page that is signed in, at the list of jobs, what scripts it has loaded, and what it has requested. */
async function open(
  server: ServerProcess,
  sub: string,
  admin: boolean,
): Promise<{ page: Page; scripts: string[]; asked: string[] }> {
  const root = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
  const { url } = await root.json<SignInLink>(201, 'POST', 'api/sign-in-links', { sub, admin })
  const page = await openPage()
  const scripts: string[] = []
  const asked: string[] = []
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    asked.push(pathname)
    if (request.resourceType() === 'script') scripts.push(pathname)
  })
  await page.goto(url)
  await page
    .getByRole('heading', { name: /Jobs|No jobs yet/ })
    .first()
    .waitFor()
  return { page, scripts, asked }
}

const section = (page: Page, name: string) =>
  page.locator('section').filter({ has: page.getByRole('heading', { name, exact: true }) })

describe("the operator's page", () => {
  browserTest('it tells who watches what, live, what is stored, who is signed in, and the audit', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    await ada.create({ id: 'export-7', kind: 'export', title: 'Yearly export' })
    await ada.publish('export-7', { type: 'status', status: 'running' })
    const { page, scripts, asked } = await open(server, 'olivia', true)
    // Those of an empty list come before or after the heading.
    const ofPages = () => scripts.filter((script) => !['/start.js', '/shared.js'].includes(script))
    expect(ofPages()).toEqual(['/dashboard.js'])
    await page.getByRole('link', { name: 'Operator' }).click()
    await section(page, 'Who watches now').waitFor()
    expect(ofPages()).toEqual(['/dashboard.js', '/operator.js'])
    await page.getByText('The first figures come within 30 s.').waitFor()
    expect(await page.title()).toBe('Operator – Milepost')
    await section(page, 'Jobs in the store').getByRole('row', { name: 'export 1' }).waitFor()
    await section(page, 'Quotas in use').getByText('Live jobs: 1 of 10,000').waitFor()
    await section(page, 'Signed in').getByText('This browser').waitFor()
    await section(page, 'Audit').getByText('as an administrator').waitFor()
    await page.locator('.live').getByText('Live', { exact: true }).waitFor()
    const { token } = await ada.share('export-7')
    const streams = [
      await ada.stream('api/jobs/export-7/progress?parts=header'),
      await new ApiClient(server.url, token).stream('api/jobs/export-7/progress'),
    ]
    const watching = section(page, 'Who watches now')
    await watching.getByRole('row', { name: 'olivia 0 0 0 1' }).waitFor()
    await watching.getByRole('row', { name: 'ada 0 1 0 0' }).waitFor()
    await watching.getByRole('row', { name: 'Guests of export-7 1 0 0 0' }).waitFor()
    for (const stream of streams) await stream.close()
    await watching.getByRole('row', { name: 'ada' }).waitFor({ state: 'detached' })
    await section(page, 'Jobs in the store').getByRole('row', { name: 'export 1' }).waitFor()
    await ada.create({ kind: 'export' })
    await section(page, 'Jobs in the store').getByRole('row', { name: 'export 2' }).waitFor()
    await page.locator('.tile').getByText('Events').waitFor()
    await page.getByRole('img', { name: /^Events in the last hour: now .*, peak / }).waitFor()
    // One stream told all that.
    expect(asked.filter((path) => path.startsWith('/api/operator'))).toEqual(['/api/operator/progress'])
    expect(await axeFindings(page)).toEqual([])
  })

  browserTest('sessions are ended and tokens revoked there, by keyboard, and the audit tells of it', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const { id } = await ada.create({ id: 'export-7' })
    const { token } = await ada.share(id)
    const guest = new ApiClient(server.url, token)
    const browser = await signIn(server.url, 'bob')
    const { page } = await open(server, 'olivia', true)
    await page.getByRole('link', { name: 'Operator' }).press('Enter')
    await page.waitForFunction(() => document.activeElement?.textContent === 'Operator')

    await page.getByRole('button', { name: 'End: bob' }).press('Enter')
    await page.getByRole('dialog', { name: 'End this session?' }).waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'End: bob')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).press('Enter')
    await page.getByRole('status').getByText('The session has ended.').waitFor()
    await page.getByRole('button', { name: 'End: bob' }).waitFor({ state: 'detached' })
    expect((await new ApiClient(server.url).request('GET', 'api/jobs', undefined, browser)).status).toBe(401)

    await page.getByRole('button', { name: 'Revoke: export-7' }).press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).press('Enter')
    await page.getByRole('status').getByText('The tokens are revoked.').waitFor()
    await page.getByRole('button', { name: 'Revoke: export-7' }).waitFor({ state: 'detached' })
    expect((await guest.refusal('GET', `api/jobs/${id}`)).status).toBe(401)

    const audit = section(page, 'Audit')
    await audit.getByLabel('Show').selectOption({ label: 'Ended a session' })
    await audit.locator('.row').getByText('for bob').waitFor()
    expect(await audit.locator('.row').count()).toBe(1)
    await audit.getByLabel('Show').selectOption({ label: 'Credentials were refused' })
    await audit.locator('.row').getByText('GET /api/jobs/:id').waitFor()
  })

  browserTest('its last figures stay when the server is gone, the header says so, and they go on with it', async () => {
    await using server = await ServerProcess.start()
    const { page } = await open(server, 'olivia', true)
    await page.getByRole('link', { name: 'Operator' }).click()
    const live = page.locator('.live').getByText('Live', { exact: true })
    await live.waitFor()
    await server.kill()
    await page
      .locator('.live')
      .getByText(/^Reconnecting, last seen/)
      .waitFor()
    await section(page, 'Jobs in the store').getByText('Running').waitFor()
    await server.restart()
    await live.waitFor()
  })

  browserTest('it polls where streams do not work, and says so', async () => {
    await using server = await ServerProcess.start()
    const { page } = await open(server, 'olivia', true)
    await page.route('**/api/operator/progress', (route) => route.fulfill({ status: 502 }))
    await page.getByRole('link', { name: 'Operator' }).click()
    await page.locator('.live').getByText('Live updates unavailable; checking every few seconds.').waitFor()
    await section(page, 'Jobs in the store').getByText('Running').waitFor()
  })

  browserTest('an administrator of a tenant has sessions, tokens and the audit of the tenant there', async () => {
    await using server = await ServerProcess.start()
    const acme = new ApiClient(
      server.url,
      await accessToken('ada', 'jobs:read jobs:write jobs:admin', { tenant: 'acme' }),
    )
    await acme.share((await acme.create({ id: 'export-7' })).id)
    await new ApiClient(server.url, await accessToken('bob')).share(
      (await new ApiClient(server.url, await accessToken('bob')).create({ id: 'secret-job' })).id,
    )
    const { url } = await acme.json<SignInLink>(201, 'POST', 'api/sign-in-links', { sub: 'olivia', admin: true })
    const page = await openPage()
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await page.goto(url)
    await page.getByRole('link', { name: 'Operator' }).click()
    await section(page, 'Signed in').getByText('This browser').waitFor()
    await section(page, 'Tokens of jobs').getByText('export-7').waitFor()
    await section(page, 'Audit').locator('.row').getByText('Signed in').first().waitFor()
    expect(await page.locator('main').textContent()).not.toContain('secret-job')
    expect(await page.getByRole('heading', { name: 'Who watches now' }).count()).toBe(0)
    expect(asked.filter((path) => path.startsWith('/api/operator'))).toEqual([])
    expect(await page.locator('.live').count()).toBe(0)
  })

  browserTest('it is for administrators: others find no such page, and load nothing of it', async () => {
    await using server = await ServerProcess.start()
    const { page, scripts } = await open(server, 'alice', false)
    expect(await page.getByRole('link', { name: 'Operator' }).count()).toBe(0)
    await page.goto(`${server.url}operator`)
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
    expect(scripts.filter((path) => path.includes('operator'))).toEqual([])
    expect(await page.evaluate(async () => (await fetch('/api/operator')).status)).toBe(403)
  })

  browserTest(
    'axe finds nothing wrong with it, in both colour schemes, and it fits a phone, in both directions',
    async () => {
      await using server = await ServerProcess.start()
      const ada = new ApiClient(server.url, await accessToken('a-principal-with-quite-a-long-name@company.example'))
      const { id } = await ada.create({ id: 'j'.repeat(100), kind: 'k'.repeat(100) })
      await ada.share(id)
      await ada.request('GET', 'metrics')
      await using _ = await ada.stream(`api/jobs/${id}/progress`)
      const { page } = await open(server, 'olivia', true)
      await page.getByRole('link', { name: 'Operator' }).click()
      await section(page, 'Audit').getByText('403: This needs the scope jobs:admin.').waitFor()
      for (const { colorScheme, width } of looks) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        expect(await axeFindings(page)).toEqual([])
        for (const dir of ['rtl', 'ltr']) {
          await page.evaluate((value) => document.documentElement.setAttribute('dir', value), dir)
          expect([dir, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([dir, width])
        }
      }
    },
  )
})
