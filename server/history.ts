import type { Clock, Timer } from '../shared/time/clock.ts'

/** Interval of samples: seconds. */
const SAMPLE_SECONDS = 30
/** Samples stored: an hour. */
const MAX_SAMPLES = 120

/** What is counted since the start of the process, and what holds now. */
export interface Reading {
  counters: Readonly<Record<string, number>>
  gauges: Readonly<Record<string, number>>
}

/** The last hour of this process, in its memory. */
export class History {
  readonly #clock: Clock
  readonly #read: () => Reading
  /** Rates and gauges by name, oldest first. */
  readonly #series = new Map<string, number[]>()
  #before: { counters: Reading['counters']; at: number }
  #until: number | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, read: () => Reading) {
    this.#clock = clock
    this.#read = read
    this.#before = { counters: read().counters, at: clock.monotonic() }
  }

  /** Takes samples until `stop()`. */
  start(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#sample()
      this.start()
    }, SAMPLE_SECONDS * 1_000)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
  }

  /** The samples: of counters as rates per second. `until` is when the newest was taken: milliseconds since the Unix epoch. */
  get samples(): { seconds: number; until: number | undefined; series: Record<string, number[]> } {
    return { seconds: SAMPLE_SECONDS, until: this.#until, series: Object.fromEntries(this.#series) }
  }

  #sample(): void {
    const { counters, gauges } = this.#read()
    const at = this.#clock.monotonic()
    const seconds = (at - this.#before.at) / 1_000
    for (const [name, value] of Object.entries(counters)) {
      this.#add(name, (value - (this.#before.counters[name] ?? 0)) / seconds)
    }
    for (const [name, value] of Object.entries(gauges)) this.#add(name, value)
    this.#before = { counters, at }
    this.#until = this.#clock.now()
  }

  #add(name: string, value: number): void {
    const series = this.#series.get(name) ?? []
    this.#series.set(name, series)
    series.push(Math.round(value * 1_000) / 1_000)
    if (series.length > MAX_SAMPLES) series.shift()
  }
}
