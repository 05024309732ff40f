import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there is no browser to run, if there is none. */
export function missingBrowser(): string | undefined {
  return existsSync(EXECUTABLE) ? undefined : `no Chromium at ${EXECUTABLE}: install it, or set CHROMIUM`
}

/** A browser without a display, drawn by the processor, that asks nobody outside for anything. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
