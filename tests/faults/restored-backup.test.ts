import { expect } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { browserTest } from '../e2e/browser.ts'
import { EmbeddingPage } from '../e2e/embedding-page.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** Streams that a page has opened since this was called. */
function countStreams(page: Page): () => number {
  let streams = 0
  page.on('request', (request) => {
    if (request.url().includes('/progress')) streams += 1
  })
  return () => streams
}

browserTest(
  'an element and a dashboard follow a server that is restored from a backup while they are open',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-backup-'))
    const [store, backup] = [join(folder, 'store'), join(folder, 'backup')]
    await using site = await EmbeddingPage.start({ MILEPOST_ENGINE: `sqlite:${join(store, 'jobs.db')}` })
    const { server } = site
    const api = new ApiClient(server.url, await accessToken('local'))
    const { id } = await api.create({ id: 'j1', kind: 'import', title: 'Contacts' })
    const report = (done: number) => api.publish(id, { type: 'progress', done, total: 100 })
    await api.publish(id, { type: 'status', status: 'running' })
    await report(7)
    await server.kill('SIGTERM')
    await cp(store, backup, { recursive: true })
    await server.restart()
    for (let done = 8; done <= 60; done++) await report(done)

    const { token } = await api.share(id)
    const shop = await site.open(`<job-progress src="${server.url}api/jobs/${id}" token="${token}"></job-progress>`)
    const element = shop.locator('job-progress')
    await element.getByText('60 of 100').waitFor()
    const dashboard = await shop.context().newPage()
    // Sessions are taken back too.
    await dashboard.setExtraHTTPHeaders({ authorization: `Bearer ${await accessToken('local')}` })
    await dashboard.goto(server.url)
    const row = dashboard.locator('.job-row')
    await row.getByText('60 of 100').waitFor()

    await server.kill('SIGTERM')
    await rm(store, { recursive: true })
    await cp(backup, store, { recursive: true })
    const [shopStreams, dashboardStreams] = [countStreams(shop), countStreams(dashboard)]
    await server.restart()
    await Promise.all([element.getByText('7 of 100').waitFor(), row.getByText('7 of 100').waitFor()])
    await report(8)
    await Promise.all([element.getByText('8 of 100').waitFor(), row.getByText('8 of 100').waitFor()])
    await report(100)
    await api.publish(id, { type: 'status', status: 'completed' })
    await Promise.all([element.getByText(/^100 in /).waitFor(), row.getByText(/^100 in /).waitFor()])
    // One that was refused while the server was not up yet, perhaps, and one that lasts.
    expect(shopStreams()).toBeLessThanOrEqual(3)
    expect(dashboardStreams()).toBeLessThanOrEqual(3)
    await rm(folder, { recursive: true })
  },
)

browserTest('watchers of a history that a restore took back get the one that took its place, whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-backup-'))
  const engine = `sqlite:${join(folder, 'jobs.db')}`
  await using site = await EmbeddingPage.start({ MILEPOST_ENGINE: engine })
  const { server } = site
  const milepost = (...args: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, 'server/cli/main.ts', ...args, '--engine', engine])
    if (exitCode !== 0) throw new Error(stderr.toString())
  }
  const token = await accessToken('local')
  const api = new ApiClient(server.url, token)
  const { id } = await api.create({ id: 'j1', kind: 'import', title: 'Contacts' })
  const item = (name: string) => ({ type: 'item', id: name, label: name }) as const
  await api.publish(id, { type: 'status', status: 'running' }, item('kept'), { type: 'progress', done: 7, total: 100 })
  milepost('backup', join(folder, 'copy'))
  await api.publish(id, item('taken-back'), { type: 'progress', done: 60, total: 100 })

  // Each way to follow a job, at the version that will be another one's.
  const { token: watch } = await api.share(id)
  const page = await site.open(`<job-progress src="${server.url}api/jobs/${id}" token="${watch}"></job-progress>`)
  await page.locator('job-progress').getByText('60 of 100').waitFor()
  const dashboard = await page.context().newPage()
  // A restore ends all sessions.
  const headers = { authorization: `Bearer ${token}` }
  await dashboard.setExtraHTTPHeaders(headers)
  await dashboard.goto(`${server.url}jobs/${id}`)
  await dashboard.getByText('taken-back').waitFor()
  const list = await page.context().newPage()
  await list.setExtraHTTPHeaders(headers)
  await list.goto(server.url)
  await list.locator('.job-row').getByText('60 of 100').waitFor()
  const { version } = await api.read(id)
  const stream = await api.stream(`api/jobs/${id}/progress`)
  const cursor = (await stream.next())?.lastEventId ?? ''
  await stream.close()

  await server.kill('SIGTERM')
  milepost('restore', join(folder, 'copy'))
  {
    // Elsewhere, so that nobody comes back before their version was passed.
    await using other = await ServerProcess.start({ MILEPOST_ENGINE: engine })
    await new ApiClient(other.url, token).publish(
      id,
      item('instead'),
      ...Array.from({ length: 9 }, (_, index) => ({ type: 'progress', done: 8 + index, total: 100 }) as const),
    )
  }
  await server.restart()
  const now = await api.read(id)
  expect(now.version).toBeGreaterThan(version)
  expect(now.items.map((row) => row.id)).toEqual(['kept', 'instead'])
  await using one = await api.stream(`api/jobs/${id}/progress`, { 'last-event-id': cursor })
  expect(await one.next()).toMatchObject({ event: 'snapshot', data: { items: now.items } })
  await using many = await api.stream(`api/progress?job=${id}@${cursor}`)
  expect(await many.next()).toMatchObject({ event: 'snapshot', data: { items: now.items } })
  expect(await api.json<object>(200, 'GET', `api/jobs/${id}?since=${cursor}`)).toEqual(now)
  const { status } = await api.request('GET', `api/jobs/${id}`, undefined, { 'if-none-match': `W/"${cursor}"` })
  expect(status).toBe(200)

  const all = [page.locator('job-progress'), list.locator('.job-row'), dashboard.locator('main')]
  await Promise.all(all.map((place) => place.getByText('16 of 100').first().waitFor()))
  await dashboard.getByText('instead').waitFor()
  expect(await dashboard.getByText('taken-back').count()).toBe(0)
  // From here on they go on from where they are, over another start of the server.
  const { lastEventId } = (await (await api.stream(`api/jobs/${id}/progress`)).next()) ?? { lastEventId: '' }
  await server.kill()
  await server.restart()
  await api.publish(id, { type: 'progress', done: 20, total: 100 })
  await Promise.all(all.map((place) => place.getByText('20 of 100').first().waitFor()))
  await using last = await api.stream(`api/jobs/${id}/progress`, { 'last-event-id': lastEventId })
  expect(await last.next()).toMatchObject({ event: 'patch', data: { from: now.version } })
  await rm(folder, { recursive: true })
})
