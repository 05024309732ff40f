import { test } from 'bun:test'
import AxeBuilderSource from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser, missingBrowser } from '../support/chromium.ts'

/** A test in a browser: skipped, by name and with the reason, where there is none. In CI that is a failure, like any test that was not run. */
export function browserTest(name: string, run: () => Promise<void>): void {
  const missing = missingBrowser()
  if (missing === undefined) test(name, run)
  else test.skip(`${name} (${missing})`, () => {})
}

let browser: Promise<Browser> | undefined

/** A page in a context of its own. The browser is shared by all tests of a file, and ends with the process. */
export async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
  browser ??= launchBrowser()
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  return page
}

/** Ends the browser. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close()
  browser = undefined
}

/** What axe finds wrong with a page as it stands, a line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  // In the page's own world, where its policy against foreign scripts does not apply to us.
  await page.evaluate(AxeBuilderSource.source)
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }
    interface Violation {
      id: string
      help: string
      nodes: { target: unknown[]; failureSummary?: string }[]
    }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`),
    )
  })
}
