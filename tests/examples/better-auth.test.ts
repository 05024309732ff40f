import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { browserTest, openPage } from '../e2e/browser.ts'
import { compileDocApp, startDocApp } from './doc-app.ts'

const startApp = () =>
  startDocApp('betterAuth', (url) => ({
    BETTER_AUTH_SECRET: 'a-secret-of-better-auth-with-Many-c4aracters',
    BETTER_AUTH_URL: url,
  }))

/** Posts JSON from a page, as the app's own forms would. @returns the status */
const post = (page: Page, path: string, body: object) =>
  page.evaluate(
    async ([to, json]) => {
      const headers = { 'content-type': 'application/json' }
      return (await fetch(to, { method: 'POST', headers, body: json })).status
    },
    [path, JSON.stringify(body)] as const,
  )

const ada = { name: 'Ada', email: 'ada@example.com', password: 'the password of ada' }
const bob = { name: 'Bob', email: 'bob@example.com', password: 'the password of bob' }

test('app.md has an app with Better Auth that compiles', async () => {
  expect(await compileDocApp('betterAuth')).toBe('')
})

browserTest('app.md has an app where people of Better Auth see their own jobs in the dashboard', async () => {
  await using app = await startApp()
  const page = await openPage()
  await page.goto(`${app.url}/progress/`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await post(page, '/api/auth/sign-up/email', ada)).toBe(200)
  expect(await post(page, '/api/auth/sign-out', {})).toBe(200)
  expect(await post(page, '/exports', {})).toBe(401)
  expect(await post(page, '/api/auth/sign-in/email', { ...ada, password: 'another password' })).toBe(401)
  expect(await post(page, '/api/auth/sign-in/email', ada)).toBe(200)
  expect(await post(page, '/exports', {})).toBe(200)
  await page.goto(`${app.url}/progress/`)
  await page.getByText('Yearly export').first().click()
  await page.getByRole('button', { name: 'Cancel' }).first().waitFor()

  const other = await openPage()
  await other.goto(`${app.url}/progress/`)
  expect(await post(other, '/api/auth/sign-up/email', bob)).toBe(200)
  await other.goto(page.url())
  await other.getByText("This job does not exist, or it isn't yours.").waitFor()

  // The end of a session at Better Auth is the end of it here.
  expect(await post(page, '/api/auth/sign-out', {})).toBe(200)
  await page.goto(`${app.url}/progress/`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
})
