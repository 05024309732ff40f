import { test } from 'bun:test'
import AxeBuilderSource from 'axe-core'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { atEnd } from '../support/at-end.ts'
import { launchBrowser, missingBrowser } from '../support/chromium.ts'

/** A test in a browser: skipped, by name and with the reason, where there is none. In CI that is a failure, like any test that was not run. */
export function browserTest(name: string, run: () => Promise<void>): void {
  const missing = missingBrowser()
  if (missing === undefined) test(name, () => run().finally(closePages))
  else test.skip(`${name} (${missing})`, () => {})
}

let browser: Promise<Browser> | undefined

async function launchShared(): Promise<Browser> {
  const launched = await launchBrowser()
  atEnd(() => launched.close())
  return launched
}

const contexts: BrowserContext[] = []

/** Pages that go on after their test would draw, and look for servers that have stopped. */
async function closePages(): Promise<void> {
  await Promise.all(contexts.splice(0).map((context) => context.close()))
}

/**
 * A page in a context of its own, which ends with the test. The browser is shared by all tests of a process. Nothing moves, unless the options
 * want it to: each frame is drawn by the processor.
 */
export async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  browser ??= launchShared()
  const context = await (await browser).newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  })
  contexts.push(context)
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  return page
}

/** Both colour schemes and both widths, each once: axe takes seconds a page, and no colour depends on the width. */
export const looks = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 360 },
] as const

/** What axe finds wrong with a page as it stands, a line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  // In the page's own world, where its policy against foreign scripts does not apply to us.
  await page.evaluate(AxeBuilderSource.source)
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(root: Document, options: object): Promise<{ violations: Violation[] }> }
    }
    interface Violation {
      id: string
      help: string
      nodes: { target: unknown[]; failureSummary?: string }[]
    }
    const { violations } = await axe.run(document, { resultTypes: ['violations'] })
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`),
    )
  })
}
