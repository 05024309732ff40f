import { afterAll, expect } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { browserTest, closeBrowser } from '../e2e/browser.ts'
import { EmbeddingPage } from '../e2e/embedding-page.ts'
import { ApiClient } from '../support/api-client.ts'
import { accessToken } from '../support/tokens.ts'

afterAll(closeBrowser)

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
    await dashboard.goto(server.signInLink)
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
