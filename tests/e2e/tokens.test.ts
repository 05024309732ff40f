import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { JobProgressElement } from '../../client/element/job-progress-element.ts'
import { browserTest } from './browser.ts'
import { EmbeddingPage } from './embedding-page.ts'

/** What a page's own backend gives it, and every text that the element showed. */
declare global {
  interface Window {
    nextToken(): Promise<string>
    lines: string[]
  }
}

/** A page whose tokens live for three seconds, without an element. */
async function open(site: EmbeddingPage): Promise<{ page: Page; given: () => number; share(): Promise<string> }> {
  await site.api.create({ id: 'long' })
  await site.api.publish('long', { type: 'status', status: 'running' }, { type: 'progress', done: 1, total: 100 })
  const page = await site.open('')
  let given = 0
  const share = async () => (await site.api.share('long', { parts: 'header', seconds: 3 })).token
  await page.exposeFunction('nextToken', () => {
    given += 1
    // The first two times the backend fails.
    if (given <= 2) throw new Error('Away')
    return share()
  })
  await page.evaluate(() => {
    window.lines = []
    const note = () => {
      const line = document.getElementById('long')?.shadowRoot?.querySelector('.line')?.textContent
      if (line && line !== window.lines.at(-1)) window.lines.push(line)
      requestAnimationFrame(note)
    }
    note()
  })
  return { page, given: () => given, share }
}

/** Publishes once a second while tokens end and are replaced, and looks what the element showed meanwhile. */
async function untilRenewed(site: EmbeddingPage, page: Page, given: () => number): Promise<void> {
  let done = 1
  for (; given() < 5; done++) {
    await site.api.publish('long', { type: 'progress', done, total: 100 })
    await Bun.sleep(1_000)
  }
  await page
    .locator('#long .line')
    .getByText(`${done - 1} of 100`)
    .waitFor()
  const lines = await page.evaluate(() => window.lines)
  if (lines[0] === 'Connecting') lines.shift()
  const others = lines.filter((line) => !/^\d+ of 100( · .*)?$/.test(line))
  expect(others).toEqual([])
}

describe('job-progress with tokens that end', () => {
  browserTest(
    'job-progress asks getToken for the first token and for others before they end, and shows nothing of it',
    async () => {
      await using site = await EmbeddingPage.start()
      const { page, given } = await open(site)
      await page.evaluate(async (src) => {
        await customElements.whenDefined('job-progress')
        const element = document.createElement('job-progress') as JobProgressElement
        element.id = 'long'
        element.setAttribute('src', src)
        element.getToken = () => window.nextToken()
        document.querySelector('main')?.append(element)
      }, `${site.server.url}api/jobs/long`)
      await untilRenewed(site, page, given)
    },
  )

  browserTest('job-progress takes another token from a listener on the page when one has ended', async () => {
    await using site = await EmbeddingPage.start()
    const { page, given, share } = await open(site)
    await page.evaluate(
      ([src, token]) => {
        document.addEventListener('job-token', (event) => {
          ;(event as CustomEvent).detail.respondWith(window.nextToken())
        })
        const html = `<job-progress id="long" src="${src}" token="${token}"></job-progress>`
        document.querySelector('main')?.insertAdjacentHTML('beforeend', html)
      },
      [`${site.server.url}api/jobs/long`, await share()],
    )
    await untilRenewed(site, page, given)
  })
})
