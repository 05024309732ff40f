import { describe, expect } from 'bun:test'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { axeFindings, browserTest, looks, openPage } from './browser.ts'

describe('the sign-in page', () => {
  for (const host of ['127.0.0.1', 'lan.test']) {
    browserTest(`the sign-in page takes an access token, by HTTP from ${host}, and leads to the job`, async () => {
      await using server = await ServerProcess.start()
      const page = await openPage()
      const job = server.url.replace('127.0.0.1', host)
      await page.goto(`${job}jobs/export-7`)
      await page.getByLabel('Or paste an access token.').fill('nonsense')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('alert').getByText('The token is invalid or expired. Get a new one.').waitFor()
      await page.getByLabel('Or paste an access token.').fill(await accessToken('ada'))
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText("This job does not exist, or it isn't yours.").waitFor()
      expect(page.url()).toBe(`${job}jobs/export-7`)
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    })
  }

  for (const { colorScheme, width } of looks) {
    browserTest(`the sign-in page is accessible, ${colorScheme}, ${width} px`, async () => {
      await using server = await ServerProcess.start()
      const page = await openPage({ colorScheme, viewport: { width, height: 800 } })
      await page.goto(`${server.url}sign-in?code=used`)
      await page.getByRole('alert').waitFor()
      expect(await axeFindings(page)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    })
  }
})
