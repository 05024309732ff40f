import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The headless shell is Chromium without what draws windows: with it, the tests take half the CPU time. */
const PLACES = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']

/** The program that tests and bench run. It may be missing. */
export const CHROMIUM = process.env.CHROMIUM ?? PLACES.find((path) => existsSync(path)) ?? PLACES.join(' or ')

/** Why there is no browser to run, if there is none. */
export function missingBrowser(): string | undefined {
  return existsSync(CHROMIUM) ? undefined : `no Chromium at ${CHROMIUM}: install it, or set the variable CHROMIUM`
}

/** A browser without a display, drawn by the processor, that asks nobody outside for anything. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Another host than this machine, to which browsers send no `Sec-Fetch-Site` without TLS.
      '--host-resolver-rules=MAP lan.test 127.0.0.1',
    ],
  })
}
