import type { LimitName } from './errors.ts'

/** What a server counts, with what each counter means. */
const counters = {
  publishes: 'Batches that were applied.',
  events: 'Events that were applied.',
  refusals: 'Requests that were answered with a problem.',
  streams_opened: 'Event streams that were opened.',
  frames: 'Frames that were sent, each once for all its watchers.',
  deliveries: 'Writes of frames, patches and snapshots to watchers.',
  engine_errors: 'Failures of the engine while a stream was open.',
} as const

export type Counter = keyof typeof counters

/** Counters, and the text that a Prometheus reads. */
export class Metrics {
  readonly #limited = new Map<LimitName, number>()
  readonly #values = Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as Record<Counter, number>

  count(name: Counter, by = 1): void {
    this.#values[name] += by
  }

  /** Counts a request that was too much: by the limit that it met, of which there are a few. */
  countLimited(limit: LimitName): void {
    this.#limited.set(limit, (this.#limited.get(limit) ?? 0) + 1)
  }

  /** OpenMetrics 1.0 text. `gauges` are what stands now, by name. */
  render(gauges: Record<string, { value: number; help: string }>): string {
    let text = ''
    for (const [name, help] of Object.entries(counters)) {
      const value = this.#values[name as Counter]
      text += `# TYPE milepost_${name} counter\n# HELP milepost_${name} ${help}\nmilepost_${name}_total ${value}\n`
    }
    text += '# TYPE milepost_limited counter\n# HELP milepost_limited Requests that met a limit (429), by its name.\n'
    for (const [limit, value] of this.#limited) text += `milepost_limited_total{limit="${limit}"} ${value}\n`
    for (const [name, { value, help }] of Object.entries(gauges)) {
      text += `# TYPE milepost_${name} gauge\n# HELP milepost_${name} ${help}\nmilepost_${name} ${value}\n`
    }
    return `${text}# EOF\n`
  }
}
