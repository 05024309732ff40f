/** Makes the pictures of the README, of a real sync: `bun tests/e2e/screenshots.ts`. */
import { endAll } from '../support/at-end.ts'
import { ServerProcess } from '../support/server-process.ts'
import { openPage } from './browser.ts'

await using server = await ServerProcess.start()
const page = await openPage({ viewport: { width: 1120, height: 760 }, deviceScaleFactor: 1 })
await page.goto(server.signInLink)
await page.getByText('Books → Backup').click()
// A picture without failures would promise too much.
await page.getByRole('tab', { name: /Failed [1-9]/ }).click()
await page
  .getByText(/about .* left/)
  .first()
  .waitFor()
for (const colorScheme of ['light', 'dark'] as const) {
  await page.emulateMedia({ colorScheme })
  await page.screenshot({ path: `server/docs/dashboard-${colorScheme}.png` })
}
await endAll()
