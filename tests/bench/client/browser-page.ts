import type { Browser, CDPSession, Page } from 'playwright-core'
import type { Job } from '../../../shared/document/job.ts'
import type { Target } from '../target.ts'

/** What the page counts by itself. */
type Counting = typeof globalThis & { messages: number }

/** How the page's main thread spent a stretch of time. */
export interface Stretch {
  /** Seconds that it lasted; of these the seconds in which it was within some task, and those of them in which it had a core. */
  seconds: number
  busySeconds: number
  cpuSeconds: number
  /** Messages of the job's stream. */
  messages: number
}

/** A job's page of the dashboard, as Chromium's own instruments see it. */
export class JobPage {
  readonly #page: Page
  readonly #cdp: CDPSession

  private constructor(page: Page, cdp: CDPSession) {
    this.#page = page
    this.#cdp = cdp
  }

  /** Opens the page, and resolves when items are drawn. */
  static async open(browser: Browser, target: Target, jobId: string): Promise<JobPage> {
    const page = await browser.newPage({
      viewport: { width: 1280, height: 900 },
      // A link that signs in would start a job of its own, to look at.
      extraHTTPHeaders: { authorization: `Bearer ${target.token}` },
    })
    await page.addInitScript(countMessages)
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Performance.enable', { timeDomain: 'timeTicks' })
    await page.goto(`http://127.0.0.1:${target.port}/jobs/${jobId}`)
    await page.locator('.item').first().waitFor()
    return new JobPage(page, cdp)
  }

  /** Leaves the page to itself for some seconds. */
  async watch(seconds: number): Promise<Stretch> {
    const count = () => this.#page.evaluate(() => (globalThis as Counting).messages)
    const [before, earlier] = [await this.#metrics(), await count()]
    await Bun.sleep(seconds * 1_000)
    const [after, later] = [await this.#metrics(), await count()]
    const passed = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    return {
      seconds: passed('Timestamp'),
      busySeconds: passed('TaskDuration'),
      cpuSeconds: passed('ThreadTime'),
      messages: later - earlier,
    }
  }

  /** Has the page draw frames for some seconds, one after another. @returns milliseconds from each to the next */
  frames(seconds: number): Promise<number[]> {
    return this.#page.evaluate(drawFrames, seconds * 1_000)
  }

  /** What its JavaScript holds on to once all garbage is collected: bytes. */
  async heapBytes(): Promise<number> {
    await this.#cdp.send('HeapProfiler.collectGarbage')
    return (await this.#metrics()).get('JSHeapUsedSize') ?? 0
  }

  /** The version of the document that is shown. */
  shownVersion(): Promise<number> {
    return this.#page.evaluate(() => {
      const name = [...document.querySelectorAll('dt')].find(({ textContent }) => textContent === 'Version')
      return Number(name?.nextElementSibling?.textContent?.replace(/\D/g, ''))
    })
  }

  /** Waits until a version is shown. */
  async untilShown(version: number): Promise<void> {
    while ((await this.shownVersion()) < version) await Bun.sleep(5)
  }

  /** The newest document that the page holds, wherever in its memory that is. */
  async document(): Promise<Job> {
    const { result: prototype } = await this.#cdp.send('Runtime.evaluate', { expression: 'Object.prototype' })
    const { objects } = await this.#cdp.send('Runtime.queryObjects', { prototypeObjectId: prototype.objectId ?? '' })
    const { result } = await this.#cdp.send('Runtime.callFunctionOn', {
      objectId: objects.objectId ?? '',
      functionDeclaration: `${newestDocument}`,
      returnByValue: true,
    })
    return JSON.parse(result.value)
  }

  async #metrics(): Promise<Map<string, number>> {
    const { metrics } = await this.#cdp.send('Performance.getMetrics')
    return new Map(metrics.map(({ name, value }) => [name, value]))
  }
}

// What follows runs in the page.

function countMessages(): void {
  const scope = globalThis as Counting
  scope.messages = 0
  const { EventSource } = scope
  const names = ['snapshot', 'patch', 'progress', 'status', 'item', 'step', 'job-error', 'log', 'control']
  scope.EventSource = class extends EventSource {
    constructor(url: string | URL) {
      super(url)
      for (const name of names) {
        this.addEventListener(name, () => {
          scope.messages += 1
        })
      }
    }
  }
}

function drawFrames(milliseconds: number): Promise<number[]> {
  return new Promise((resolve) => {
    const begun = performance.now()
    const frames: number[] = []
    let last = begun
    requestAnimationFrame(function draw() {
      const now = performance.now()
      frames.push(now - last)
      last = now
      if (now - begun < milliseconds) requestAnimationFrame(draw)
      else resolve(frames)
    })
  })
}

/** Called on an array of all plain objects of the page. */
function newestDocument(this: Partial<Job>[]): string {
  let newest: Partial<Job> | undefined
  for (const one of this) {
    if (!one.epoch || one.version === undefined || !Array.isArray(one.items) || !Array.isArray(one.logs)) continue
    if (one.version > (newest?.version ?? 0)) newest = one
  }
  return JSON.stringify(newest)
}
