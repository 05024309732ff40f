/**
 * What the open page of a busy job costs the browser: `bun tests/bench/client/browser.ts [OPTIONS]`, options in JSON.
 *
 * The server has a core to itself, as far as the machine lets it; this process, which publishes, and Chromium have what is left.
 */
import { Publishers } from '../load/publishers.ts'
import { requestBytes } from '../load/requests.ts'
import { mileposts } from '../peers/milepost.ts'
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
 *   from the warm-up to the end.
 * - `caughtUp`: milliseconds from the last acknowledgement until the page shows the last version.
 *
 * @param options `items`, `perSecond` events, `warmUp` and `seconds` of measure
 * @throws Error when the page's document is not the server's in the end, or all of it takes too long
 */
export async function browserFigures(options: Options = {}): Promise<Figures> {
  const { items = 10_000, perSecond = 5_000, warmUp = 10, seconds = 20 } = options
  const server = await mileposts[0]?.start()
  if (!server) throw new Error('There is nothing to measure')
  const cleanUps = [server.stop]
  const limit = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => limit.reject(new Error('The browser takes too long')),
    (warmUp + seconds) * 1_000 + PATIENCE_MS,
  )
  const measure = async (): Promise<Figures> => {
    const publishers = await Publishers.open(server.target, 2)
    const job = await BusyJob.create(server.target, publishers, items)
    const page = await JobPage.open(server.target, job.id)
    cleanUps.unshift(() => page.close())
    const publishing = job.publish(perSecond, warmUp + seconds + STRETCHES)
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
    const rate = ((await page.shownVersion()) - begun.version) / ((performance.now() - begun.at) / 1_000)
    await publishing
    const acknowledgedAt = performance.now()
    await page.untilShown(job.acknowledged + 1)
    const caughtUp = performance.now() - acknowledgedAt
    await compare(server.target, publishers, job, page)
    return { ...summarise(stretches, frames, heap), rate, caughtUp }
  }
  try {
    return await Promise.race([measure(), limit.promise])
  } finally {
    clearTimeout(timer)
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

function summarise(stretches: readonly Stretch[], frames: readonly number[], heap: readonly number[]): Figures {
  const total = (value: (stretch: Stretch) => number) => stretches.reduce((sum, stretch) => sum + value(stretch), 0)
  const seconds = total((stretch) => stretch.seconds)
  const sorted = frames.toSorted((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  const [first = Number.NaN] = heap
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

/** Holds the document of the page to that of the server. */
async function compare(target: Target, publishers: Publishers, job: BusyJob, page: JobPage): Promise<void> {
  const stored: unknown = JSON.parse(await publishers.send(requestBytes(target, 'GET', `/api/jobs/${job.id}`)))
  if (!Bun.deepEquals(await page.document(), stored, true))
    throw new Error('The page holds another document than the server')
}

if (import.meta.main) {
  endWithUs()
  console.log(JSON.stringify(await browserFigures(JSON.parse(process.argv[2] ?? '{}')), null, 2))
  process.exit()
}
