import { afterAll, beforeAll, describe, expect } from 'bun:test'
import { assets } from '../../server/generated/assets.ts'
import { ServerProcess } from '../support/server-process.ts'
import { axeFindings, browserTest, looks, openPage } from './browser.ts'

/** Pages that together have all that documents are made of. axe takes half a second for a page. */
const IN_EVERY_LOOK = ['docs', 'docs/wire']

describe('the documentation', () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await ServerProcess.start()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  for (const { colorScheme, width } of looks) {
    browserTest(`the documentation is readable without an account, ${colorScheme}, ${width} px`, async () => {
      const page = await openPage({ colorScheme, viewport: { width, height: 800 } })
      for (const { path, title } of assets.docs ?? []) {
        await page.goto(server.url + path)
        await page.getByRole('heading', { name: title, level: 1 }).waitFor()
        if (colorScheme === 'light' || IN_EVERY_LOOK.includes(path))
          expect([path, await axeFindings(page)]).toEqual([path, []])
        // Nothing is wider than the screen.
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
      }
    })
  }

  browserTest('the documentation leads from page to page, to the API reference, and to the sign-in', async () => {
    const page = await openPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    await page.goto(`${server.url}docs`)
    await page.getByRole('navigation', { name: 'Documentation' }).getByRole('link', { name: 'Errors' }).click()
    await page.getByRole('link', { name: 'below' }).click()
    expect(page.url()).toBe(`${server.url}docs/errors#limits-of-a-429`)
    await page.getByRole('link', { name: 'API reference' }).click()
    await page.getByRole('heading', { name: 'API reference' }).waitFor()
    await page.getByRole('heading', { name: 'Schemas' }).waitFor()
    expect(await axeFindings(page)).toEqual([])
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
    await page.getByRole('link', { name: 'Jobs', exact: true }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByRole('link', { name: 'Documentation' }).click()
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
    expect(errors).toEqual([])
  })
})
