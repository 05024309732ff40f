import { expect, test } from 'bun:test'
import { browserTest, openPage } from '../e2e/browser.ts'
import { cookieOf } from '../support/sign-in.ts'
import { compileDocApp, startDocApp } from './doc-app.ts'

const startApp = () =>
  startDocApp('COOKIE_SECRET', () => ({ COOKIE_SECRET: 'signs cookies', ADA_PASSWORD: 'ada-and-more' }))

const login = (url: string, password: string) =>
  fetch(`${url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'ada', password }),
    redirect: 'manual',
  })

test('app.md has an app with a signed cookie that compiles', async () => {
  expect(await compileDocApp('COOKIE_SECRET')).toBe('')
})

test('app.md has an app whose signed cookie is believed, but from no other site, and not when it is changed', async () => {
  await using app = await startApp()
  expect((await login(app.url, 'guessed')).status).toBe(401)
  const cookie = cookieOf(await login(app.url, 'ada-and-more'))
  const create = (headers: Record<string, string>) =>
    fetch(`${app.url}/progress/api/jobs`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json', ...headers },
      body: '{"kind":"export","title":"Yearly export"}',
    })
  const ours = { 'sec-fetch-site': 'same-origin' }
  const created = await create(ours)
  expect([created.status, await created.json()]).toMatchObject([201, { owner: 'ada' }])
  expect((await create({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await create({ ...ours, cookie: cookie.replace('ada', 'bob') })).status).toBe(401)
})

browserTest('app.md has an app whose users see pages, streams and elements by its own cookie', async () => {
  await using app = await startApp()
  const page = await openPage()
  await page.goto(`${app.url}/progress/`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  const [id, status] = await page.evaluate(async () => {
    const body = new URLSearchParams({ name: 'ada', password: 'ada-and-more' })
    const { status } = await fetch('/login', { method: 'POST', body })
    const headers = { 'content-type': 'application/json' }
    const job = '{"kind":"export","title":"Yearly export"}'
    const created = await fetch('/progress/api/jobs', { method: 'POST', headers, body: job })
    return [((await created.json()) as { id: string }).id, status] as const
  })
  expect(status).toBe(200)
  const publish = (event: object) =>
    page.evaluate(
      async ([id, body]) => {
        const headers = { 'content-type': 'application/json' }
        await fetch(`/progress/api/jobs/${id}/events`, { method: 'POST', headers, body })
      },
      [id, JSON.stringify(event)] as const,
    )
  await page.goto(`${app.url}/progress/`)
  await page.getByText('Yearly export').first().waitFor()
  await publish({ type: 'status', status: 'running' })
  await publish({ type: 'progress', done: 13, total: 100, unit: 'rows' })
  await page.getByText('13 of 100 rows').first().waitFor()
  await page.goto(`${app.url}/progress/docs`)
  await page.evaluate(async (id) => {
    const script = document.createElement('script')
    Object.assign(script, { type: 'module', src: '/progress/widget.js' })
    const element = document.createElement('job-progress')
    element.setAttribute('src', `/progress/api/jobs/${id}`)
    document.body.prepend(script, element)
  }, id)
  await page.locator('job-progress').getByText('13 of 100 rows').waitFor()
  await publish({ type: 'progress', done: 14 })
  await page.locator('job-progress').getByText('14 of 100 rows').waitFor()
})
