import type { LimitName } from './errors.ts'

/** Counters with their help texts. */
const counters = {
  publishes: 'Applied batches.',
  events: 'Applied events.',
  refusals: 'Refused requests.',
  streams_opened: 'Opened event streams.',
  frames: 'Sent frames, each counted once for all of its watchers.',
  deliveries: 'Writes of frames, patches and snapshots to watchers.',
  engine_errors: 'Failures of the engine while a stream was open.',
} as const

export type Counter = keyof typeof counters

/** Counters, and their text for Prometheus. */
export class Metrics {
  readonly #limited = new Map<LimitName, number>()
  readonly #values = Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as Record<Counter, number>

  count(name: Counter, by = 1): void {
    this.#values[name] += by
  }

  /** Counts a 429 by its limit. There are few limits, so few time series. */
  countLimited(limit: LimitName): void {
    this.#limited.set(limit, (this.#limited.get(limit) ?? 0) + 1)
  }

  /** Writes OpenMetrics 1.0 text. @param gauges current values by name */
  render(gauges: Record<string, { value: number; help: string }>): string {
    let text = ''
    for (const [name, help] of Object.entries(counters)) {
      const value = this.#values[name as Counter]
      text += `# TYPE milepost_${name} counter\n# HELP milepost_${name} ${help}\nmilepost_${name}_total ${value}\n`
    }
    text += '# TYPE milepost_limited counter\n# HELP milepost_limited Requests refused with 429, by limit.\n'
    for (const [limit, value] of this.#limited) text += `milepost_limited_total{limit="${limit}"} ${value}\n`
    for (const [name, { value, help }] of Object.entries(gauges)) {
      text += `# TYPE milepost_${name} gauge\n# HELP milepost_${name} ${help}\nmilepost_${name} ${value}\n`
    }
    return `${text}# EOF\n`
  }
}
