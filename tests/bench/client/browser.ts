/**
 * What the open page of a busy job costs the browser: `bun tests/bench/client/browser.ts [OPTIONS]`, options in JSON; prints the figures in
 * JSON. The server has a core to itself, as far as the machine lets it; Chromium and this process, which publishes, run where they can.
 */
import type { Browser } from 'playwright-core'
import { launchBrowser, missingBrowser } from '../../support/chromium.ts'
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import { onSqlite } from '../peers/milepost.ts'
import { endWithUs } from '../peers/peer.ts'
import type { Figures, Options, Target } from '../target.ts'
import { BusyJob } from './browser-load.ts'
import { JobPage, type Stretch } from './browser-page.ts'

/** How often memory is looked at, after the first time: garbage is collected only between the stretches that are measured. */
const STRETCHES = 4
/** The share of a stretch in which frames are timed. To time them the page draws without a pause, which is work of its own. */
const FRAMES = 0.4
/** The longest that it may take beyond what is asked for: milliseconds. */
const PATIENCE_MS = 30_000

/**
 * Publishes to a job of many items whose page is open in Chromium, and measures the page:
 *
 * - `busy`: the share of the time in which its main thread was within a task, whatever for: script, style, layout, paint, the browser's own.
 *   By the clock on the wall, so that what others took of the cores meanwhile counts too; `cpu` is the same without that.
 * - `frame50`, `frame95`, `frameMost`: milliseconds from one callback of `requestAnimationFrame` to the next: how long the page stood still.
 * - `rate`, `messages`: events that came to be shown, and messages of the stream, a second.
 * - `heapFirst`, `heapLast`, `heapGrowth`: KiB that its JavaScript holds after a full garbage collection, and by how many percent that grew
 *   from the end of the warm-up to the end of all.
 * - `caughtUp`: milliseconds from the last acknowledgement until the page shows the last version.
 *
 * @param options `items`, `perSecond` events, `warmUp` and `seconds` of measure
 * @throws Error when there is no browser, when all of it takes too long, or when the page's document is not the server's in the end
 */
export async function browserFigures(options: Options = {}): Promise<Figures> {
  const { items = 10_000, perSecond = 5_000, warmUp = 15, seconds = 20 } = options
  const missing = missingBrowser()
  if (missing) throw new Error(missing)
  const server = await onSqlite.start()
  try {
    const browser = await launchBrowser()
    try {
      const limit = (warmUp + seconds) * 1_000 + PATIENCE_MS
      return await within(limit, measure(server.target, browser, { items, perSecond, warmUp, seconds }))
    } finally {
      await browser.close()
    }
  } finally {
    await server.stop()
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`It took longer than ${milliseconds} ms`)), milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

type Plan = Record<'items' | 'perSecond' | 'warmUp' | 'seconds', number>

async function measure(target: Target, browser: Browser, plan: Plan): Promise<Figures> {
  const publishers = await Publishers.open(target, 2)
  const job = await BusyJob.create(target, publishers, plan.items)
  const page = await JobPage.open(browser, target, job.id)
  const enough = new AbortController()
  const [figures, acknowledgedAt] = await Promise.all([
    observe(page, plan).finally(() => enough.abort()),
    job.publish(plan.perSecond, enough.signal).then(() => performance.now()),
  ])
  await page.untilShown(job.acknowledged + 1)
  const caughtUp = performance.now() - acknowledgedAt
  const stored: unknown = JSON.parse(await publishers.send(requestBytes(target, 'GET', `/api/jobs/${job.id}`)))
  publishers.close()
  if (!Bun.deepEquals(await page.document(), stored, true)) throw new Error("The page's document is not the server's")
  return { ...figures, caughtUp }
}

async function observe(page: JobPage, { warmUp, seconds }: Plan): Promise<Figures> {
  await Bun.sleep(warmUp * 1_000)
  const heap = [await page.heapBytes()]
  const stretches: Stretch[] = []
  const frames: number[] = []
  const begun = { at: performance.now(), version: await page.shownVersion() }
  for (let count = 0; count < STRETCHES; count++) {
    stretches.push(await page.watch((seconds / STRETCHES) * (1 - FRAMES)))
    frames.push(...(await page.frames((seconds / STRETCHES) * FRAMES)))
    heap.push(await page.heapBytes())
  }
  const shown = (await page.shownVersion()) - begun.version
  return { ...summarise(stretches, frames, heap), rate: shown / ((performance.now() - begun.at) / 1_000) }
}

function summarise(stretches: readonly Stretch[], frames: readonly number[], heap: readonly number[]): Figures {
  const total = (value: (stretch: Stretch) => number) => stretches.reduce((sum, stretch) => sum + value(stretch), 0)
  const seconds = total((stretch) => stretch.seconds)
  const sorted = frames.toSorted((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  const first = heap[0] ?? Number.NaN
  const last = heap.at(-1) ?? Number.NaN
  return {
    busy: total((stretch) => stretch.busySeconds) / seconds,
    cpu: total((stretch) => stretch.cpuSeconds) / seconds,
    frame50: quantile(0.5),
    frame95: quantile(0.95),
    frameMost: quantile(1),
    messages: total((stretch) => stretch.messages) / seconds,
    heapFirst: first / 1_024,
    heapLast: last / 1_024,
    heapGrowth: (last / first - 1) * 100,
  }
}

if (import.meta.main) {
  endWithUs()
  console.log(JSON.stringify(await browserFigures(JSON.parse(process.argv[2] ?? '{}')), null, 2))
  process.exit()
}
