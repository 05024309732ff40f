import process from 'node:process'
import type { MetricFamily } from '../metrics.ts'

/** Interval of the timer whose lateness is the delay of the event loop: milliseconds. */
const SAMPLE_MS = 100
/** Samples of a window. The reported maximum is that of this window and the one before, so that a scrape every 30 s misses nothing. */
const WINDOW = 300

/** Measures the process itself. The names are those that Prometheus' own clients use, where there is one. */
export class ProcessMetrics {
  readonly #startedAt = Date.now() / 1_000
  #maxDelay = 0
  #maxBefore = 0
  #samples = 0

  constructor() {
    let due = performance.now() + SAMPLE_MS
    setInterval(() => {
      const now = performance.now()
      this.#sample(now - due)
      due = now + SAMPLE_MS
    }, SAMPLE_MS).unref()
  }

  #sample(delay: number): void {
    if (++this.#samples % WINDOW === 0) {
      this.#maxBefore = this.#maxDelay
      this.#maxDelay = 0
    }
    this.#maxDelay = Math.max(this.#maxDelay, delay)
  }

  read(): MetricFamily[] {
    const { user, system } = process.cpuUsage()
    const delay = Math.max(0, this.#maxDelay, this.#maxBefore) / 1_000
    const family = (family: Omit<MetricFamily, 'samples'>, value: number) => ({ ...family, samples: { '': value } })
    return [
      family(
        {
          name: 'milepost_event_loop_delay_max_seconds',
          type: 'gauge',
          unit: 'seconds',
          help: 'Longest time in the last 30 to 60 seconds in which the event loop was busy.',
        },
        delay,
      ),
      family(
        { name: 'process_cpu_seconds', type: 'counter', unit: 'seconds', help: 'User and system CPU time.' },
        (user + system) / 1_000_000,
      ),
      family(
        { name: 'process_resident_memory_bytes', type: 'gauge', unit: 'bytes', help: 'Resident memory.' },
        process.memoryUsage().rss,
      ),
      family(
        {
          name: 'process_start_time_seconds',
          type: 'gauge',
          unit: 'seconds',
          help: 'Start of the process, in seconds since the Unix epoch.',
        },
        this.#startedAt,
      ),
    ]
  }
}
