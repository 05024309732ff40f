import { describe, expect } from 'bun:test'
import type { Page } from 'playwright-core'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { axeFindings, browserTest } from './browser.ts'
import { EmbeddingPage } from './embedding-page.ts'

const run: ProducerEvent = { type: 'status', status: 'running' }
const files = (done: number, more: object = {}): ProducerEvent => ({
  type: 'progress',
  done,
  total: 100,
  unit: 'files',
  ...more,
})
const end = (status: 'completed' | 'failed' | 'cancelled', message?: string): ProducerEvent => ({
  type: 'status',
  status,
  ...(message === undefined ? {} : { message }),
})

/** What an element says to those who see it and to those who hear it. */
interface Shown {
  chip: string
  line: string
  percent: string | null
  spoken: string | null
}

/** A job in each state that a producer can bring it to, and what is shown of it. */
const states: { id: string; events: ProducerEvent[]; fields?: object; cancel?: true; shown: Partial<Shown> }[] = [
  { id: 'waiting', events: [], shown: { chip: 'Waiting', line: 'Waiting to start', percent: null } },
  { id: 'running', events: [run, files(42)], shown: { chip: 'Running', line: '42 of 100 files', percent: '42' } },
  {
    id: 'unknown',
    events: [run, { type: 'progress', done: 1204, unit: 'files' }],
    shown: { chip: 'Running', line: '1,204 files so far', percent: null, spoken: '1,204 files so far' },
  },
  {
    id: 'paused',
    events: [run, files(42), { type: 'status', status: 'paused' }],
    shown: { chip: 'Paused', line: 'Paused at 42 %', percent: '42' },
  },
  {
    id: 'stalled',
    events: [run, files(42)],
    fields: { heartbeatSeconds: 0.001 },
    shown: { chip: 'Stalled', percent: '42' },
  },
  {
    id: 'cancelling',
    events: [run, files(42)],
    cancel: true,
    shown: { chip: 'Cancelling', line: 'Asked to stop', spoken: 'Asked to stop — 42 %' },
  },
  {
    id: 'completed',
    events: [run, files(100), end('completed')],
    shown: { chip: 'Done', line: '100 files in less than 1 s', percent: '100' },
  },
  {
    id: 'completed-with-failures',
    events: [
      run,
      { type: 'item', id: 'a.txt', status: 'failed', error: 'No space left on device' },
      files(100, { succeeded: 97, failed: 3 }),
      end('completed'),
    ],
    shown: { chip: 'Done', line: '97 done, 3 failed', percent: '100' },
  },
  {
    id: 'failed',
    events: [run, files(42), end('failed', 'No space left on device')],
    shown: { chip: 'Failed', line: 'No space left on device', spoken: 'No space left on device — at 42 %' },
  },
  {
    id: 'cancelled',
    events: [run, files(42), end('cancelled')],
    shown: { chip: 'Cancelled', line: 'Cancelled at 42 %', percent: '42' },
  },
]

const createAll = async ({ api }: EmbeddingPage) => {
  for (const { id, events, fields, cancel } of states) {
    await api.create({ id, kind: 'export', title: `Export ${id}`, ...fields })
    if (events.length > 0) await api.publish(id, ...events)
    if (cancel) await api.operate(id, 'cancel')
  }
}

const elements = async (site: EmbeddingPage, attributes = '') =>
  (await Promise.all(states.map(({ id }) => site.element(id, attributes)))).join('')

/** Waits until every element shows its job. */
const untilShown = (page: Page) =>
  page.waitForFunction(() =>
    [...document.querySelectorAll('job-progress')].every((element) =>
      element.shadowRoot?.querySelector('.root:not([hidden]) .chip:not([hidden])'),
    ),
  )

const shownBy = (page: Page, id: string): Promise<Shown> =>
  page.evaluate((elementId) => {
    const root = document.getElementById(elementId)?.shadowRoot
    const bar = root?.querySelector('[role=progressbar]')
    // A number and its unit don't part: what is between them is a no-break space.
    const plain = (text: string | null | undefined) => text?.replaceAll('\xa0', ' ')
    return {
      chip: plain(root?.querySelector('.chip')?.textContent) ?? '',
      line: plain(root?.querySelector('.line')?.textContent) ?? '',
      percent: bar?.getAttribute('aria-valuenow') ?? null,
      spoken: plain(bar?.getAttribute('aria-valuetext')) ?? null,
    }
  }, id)

/** Waits until an element's line is as it should be. */
const untilLine = (page: Page, id: string, line: RegExp) =>
  page.locator(`#${id} .line`).getByText(spaced(line)).waitFor()

/** With any space for each: a number and its unit don't part. */
const spaced = (text: RegExp) => new RegExp(text.source.replaceAll(' ', '\\s'))

describe('job-progress', () => {
  browserTest('job-progress shows every state of a job, and more jobs than a browser gives connections', async () => {
    await using site = await EmbeddingPage.start()
    await createAll(site)
    const page = await site.open(await elements(site))
    await untilShown(page)
    for (const { id, shown } of states) expect([id, await shownBy(page, id)]).toMatchObject([id, shown])
  })

  for (const [name, options] of [
    ['in the light', { colorScheme: 'light', reducedMotion: 'no-preference' }],
    ['in the dark, without motion', { colorScheme: 'dark' }],
    ['in forced colours', { forcedColors: 'active' }],
  ] as const) {
    browserTest(`axe finds nothing in any state and variant of job-progress, ${name}`, async () => {
      await using site = await EmbeddingPage.start()
      await createAll(site)
      for (const variant of ['bar', 'ring', 'text']) {
        const page = await site.open(await elements(site, `variant="${variant}"`), options)
        await untilShown(page)
        await page.locator('#completed-with-failures button').click()
        await page.getByText('a.txt').waitFor()
        expect([variant, await axeFindings(page)]).toEqual([variant, []])
        await page.context().close()
      }
    })
  }

  browserTest('job-progress grows from where lines begin, and moves only where motion is wanted', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'known' })
    await site.api.publish('known', run, files(25))
    await site.api.create({ id: 'unknown' })
    await site.api.publish('unknown', run, { type: 'progress', done: 7 })
    const html = (await site.element('known')) + (await site.element('unknown'))
    const look = async (dir: string, reducedMotion: 'reduce' | 'no-preference') => {
      const page = await site.open(html, { reducedMotion }, dir)
      await untilShown(page)
      // The transition from nothing to a quarter is over when the animations are.
      return page.evaluate(async () => {
        const part = (id: string, name: string) => document.getElementById(id)?.shadowRoot?.querySelector(`.${name}`)
        const [fill, track, band] = [part('known', 'fill'), part('known', 'track'), part('unknown', 'fill')]
        if (!fill || !track || !band) throw new Error('There is no bar')
        await Promise.all(fill.getAnimations().map(({ finished }) => finished))
        const [inner, outer] = [fill.getBoundingClientRect(), track.getBoundingClientRect()]
        return {
          atLeft: (inner.right - outer.left) / outer.width,
          atRight: (outer.right - inner.left) / outer.width,
          moves: band.getAnimations().length > 0,
        }
      })
    }
    const leftToRight = await look('ltr', 'no-preference')
    expect([leftToRight.atLeft.toFixed(2), leftToRight.moves]).toEqual(['0.25', true])
    const rightToLeft = await look('rtl', 'reduce')
    expect([rightToLeft.atRight.toFixed(2), rightToLeft.moves]).toEqual(['0.25', false])
  })

  browserTest('job-progress follows its job live, tells the page, and says what matters aloud', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'live', title: 'Export' })
    await site.api.publish('live', run, files(10))
    const page = await site.open(await site.element('live', '', '<i>Exporting your files</i>'))
    await untilLine(page, 'live', /10 of 100 files/)
    expect(await page.getByText('Exporting your files').isVisible()).toBe(false)
    await page.evaluate(() => {
      const told: string[] = []
      Object.assign(window, { told })
      for (const name of ['job-change', 'job-end']) {
        document.addEventListener(name, (event) => {
          const { version, status } = (event as CustomEvent<{ version: number; status: string }>).detail
          told.push(`${name} ${version} ${status}`)
        })
      }
    })
    await site.api.publish('live', files(30))
    await page.getByRole('status').getByText('Export — Running — 30 of 100 files').waitFor()
    await site.api.publish('live', files(100), end('completed'))
    await page
      .getByRole('status')
      .getByText(spaced(/Export — Done — 100 files in/))
      .waitFor()
    const told = await page.evaluate(() => (window as unknown as { told: string[] }).told)
    expect(told).toEqual(['job-change 4 running', 'job-change 6 completed', 'job-end 6 completed'])
    expect(await page.getByRole('status').count()).toBe(1)
  })

  browserTest(
    'job-progress keeps the last state with its age while there is no server, and goes on with it',
    async () => {
      await using site = await EmbeddingPage.start()
      await site.api.create({ id: 'cut' })
      await site.api.publish('cut', run, files(42))
      const page = await site.open(await site.element('cut'))
      await untilLine(page, 'cut', /42 of 100 files/)
      await site.server.kill()
      await untilLine(page, 'cut', /Reconnecting, last seen [0-9]+ s ago/)
      expect(await shownBy(page, 'cut')).toMatchObject({ chip: 'Running', percent: '42' })
      await site.server.restart()
      await site.api.publish('cut', files(43))
      await untilLine(page, 'cut', /43 of 100 files/)
      await page.context().setOffline(true)
      await untilLine(page, 'cut', /You are offline; as of/)
    },
  )

  browserTest('job-progress says what it can not show, and leaves the jobs beside it alone', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'good' })
    await site.api.publish('good', run, files(1))
    await site.api.create({ id: 'deleted' })
    await site.api.publish('deleted', run, files(2))
    const forged = `<job-progress id="forged" src="${site.server.url}api/jobs/good" token="a.b.c">As it was</job-progress>`
    const page = await site.open(`${await site.element('good')}${await site.element('deleted')}${forged}`)
    await untilLine(page, 'deleted', /2 of 100 files/)
    await untilLine(page, 'forged', /Your access has expired\. Reload the page\./)
    expect((await site.api.request('DELETE', 'api/jobs/deleted')).status).toBe(204)
    await untilLine(page, 'deleted', /This job does not exist, or it isn't yours\./)
    await site.api.publish('good', files(3))
    await untilLine(page, 'good', /3 of 100 files/)
  })

  browserTest(
    'job-progress says that a site may not show a job, and tells its developer which setting must name it',
    async () => {
      await using site = await EmbeddingPage.start({ MILEPOST_ORIGINS: '' })
      await site.api.create({ id: 'kept' })
      const page = await site.open(await site.element('kept'))
      await untilLine(page, 'kept', /^This site may not show this job\.$/)
      const { origin } = new URL(page.url())
      const told = (await page.consoleMessages()).map((message) => message.text())
      expect(told.find((text) => text.startsWith('Milepost: '))).toEndWith(
        `lets no page of ${origin} read its jobs. Add ${origin} to its setting MILEPOST_ORIGINS.`,
      )
      expect(await axeFindings(page)).toEqual([])
    },
  )

  browserTest('job-progress speaks a language that its page adds, with the numbers of its region', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'german' })
    await site.api.publish('german', run, { type: 'progress', done: 12_042, total: 100_000, unit: 'Zeilen' })
    const page = await site.open('')
    const html = await site.element('german', 'lang="de-CH"')
    await page.evaluate(async (element) => {
      await customElements.whenDefined('job-progress')
      const { languages } = customElements.get('job-progress') as unknown as { languages: Map<string, object> }
      const german = {
        ...languages.get('en'),
        tag: 'de',
        chips: { running: 'Läuft' },
        doneOfTotal: (done: string, total: string) => `${done} von ${total}`,
      }
      languages.set('de', german)
      document.querySelector('main')?.insertAdjacentHTML('beforeend', element)
    }, html)
    // The apostrophe of Swiss numbers depends on the version of CLDR.
    await untilLine(page, 'german', /^12['’]042 von 100['’]000 Zeilen$/)
    expect(await shownBy(page, 'german')).toMatchObject({ chip: 'Läuft', percent: '12' })
  })

  browserTest('job-progress connects when it comes into view, and lets go when it leaves the page', async () => {
    await using site = await EmbeddingPage.start()
    await site.api.create({ id: 'below' })
    await site.api.publish('below', run, files(42))
    const page = await site.open(
      `<div style="height: 300vh"></div>${await site.element('below', '', '<i>Further down</i>')}`,
    )
    await page.getByText('Further down').waitFor()
    expect((await shownBy(page, 'below')).chip).toBe('')
    await page.getByText('Further down').scrollIntoViewIfNeeded()
    await untilLine(page, 'below', /42 of 100 files/)
    const closed = page.waitForEvent('requestfailed', (request) => request.url().includes('/api/progress'))
    await page.evaluate(() => document.getElementById('below')?.remove())
    await closed
  })

  browserTest('job-progress lists what failed to whoever asks, by keyboard', async () => {
    await using site = await EmbeddingPage.start()
    await createAll(site)
    const page = await site.open(await site.element('completed-with-failures'))
    const show = page.getByRole('button', { name: 'Show' })
    await show.waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText('No space left on device').waitFor()
    expect(await show.getAttribute('aria-expanded')).toBe('true')
    await page.keyboard.press('Enter')
    expect(await page.getByText('No space left on device').isVisible()).toBe(false)
  })
})
