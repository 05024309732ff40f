import type { LimitName, Problem } from './errors.ts'

/** Counters with their help texts. */
const counters = {
  publishes: 'Applied batches.',
  events: 'Applied events.',
  streams_opened: 'Opened event streams.',
  streams_resumed: 'Opened event streams of clients that had a cursor: reconnects.',
  reports_opened: 'Opened WebSockets of producers.',
  frames: 'Sent frames, each counted once for all of its watchers.',
  deliveries: 'Writes of frames, patches and snapshots to watchers.',
  engine_errors: 'Failures of the engine while a stream was open.',
  webhooks_delivered: 'Webhooks that their receivers accepted.',
  webhooks_failed: 'Attempts of webhooks that failed and will be repeated.',
  webhooks_undelivered: 'Webhooks that were given up.',
} as const

type Counter = keyof typeof counters

/** Upper bounds of the buckets of publish times: seconds. */
const PUBLISH_BUCKETS = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** A metric family (OpenMetrics 1.0, 4.5): a name, with the unit at its end if there is one, and its samples. */
export interface MetricFamily {
  name: string
  type: 'counter' | 'gauge'
  /** `seconds`, `bytes`. */
  unit?: string
  help: string
  /** By their labels, `{view="all"}` or nothing. */
  samples: Readonly<Record<string, number>>
}

/** What this process counts, and its text for Prometheus. The number of time series is bounded. */
export class Metrics {
  readonly #limited = new Map<LimitName, number>()
  readonly #refused = new Map<Problem['type'], number>()
  readonly #values = Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as Record<Counter, number>
  /** Publishes by bucket; the last has no upper bound. */
  readonly #publishTimes = new Array<number>(PUBLISH_BUCKETS.length + 1).fill(0)
  #publishSeconds = 0

  count(name: Counter, by = 1): void {
    this.#values[name] += by
  }

  /** What was counted since the start. */
  get totals(): Record<Counter | 'refusals', number> {
    let refusals = 0
    for (const count of this.#refused.values()) refusals += count
    return { ...this.#values, refusals }
  }

  /** Counts a refused request by its problem, and a 429 by its limit too. */
  countRefusal({ type, limit }: Pick<Problem, 'type' | 'limit'>): void {
    this.#refused.set(type, (this.#refused.get(type) ?? 0) + 1)
    if (limit !== undefined) this.#limited.set(limit, (this.#limited.get(limit) ?? 0) + 1)
  }

  /** Counts how long an accepted publish took, from its headers to its response. @param ms milliseconds */
  timePublish(ms: number): void {
    const seconds = ms / 1_000
    let bucket = 0
    while (bucket < PUBLISH_BUCKETS.length && seconds > (PUBLISH_BUCKETS[bucket] ?? 0)) bucket += 1
    this.#publishTimes[bucket] = (this.#publishTimes[bucket] ?? 0) + 1
    this.#publishSeconds += seconds
  }

  /** Writes OpenMetrics 1.0 text. @param more families that others measure */
  render(more: readonly MetricFamily[]): string {
    const own = Object.entries(counters).map(
      ([name, help]): MetricFamily => ({
        name: `milepost_${name}`,
        type: 'counter',
        help,
        samples: { '': this.#values[name as Counter] },
      }),
    )
    const byLabel = (label: string, counts: ReadonlyMap<string, number>) =>
      Object.fromEntries(
        [...counts].map(([value, count]) => [`{${label}="${value.replace('urn:milepost:', '')}"}`, count]),
      )
    own.push(
      {
        name: 'milepost_refusals',
        type: 'counter',
        help: 'Refused requests, by problem.',
        samples: byLabel('reason', this.#refused),
      },
      {
        name: 'milepost_limited',
        type: 'counter',
        help: 'Requests refused with 429, by limit.',
        samples: byLabel('limit', this.#limited),
      },
    )
    return `${[...own, ...more].map(renderFamily).join('')}${this.#renderPublishTimes()}# EOF\n`
  }

  #renderPublishTimes(): string {
    const name = 'milepost_publish_seconds'
    let text = `# TYPE ${name} histogram\n# UNIT ${name} seconds\n# HELP ${name} Accepted publishes, from their headers to the response.\n`
    let count = 0
    for (const [index, bound] of [...PUBLISH_BUCKETS, '+Inf'].entries()) {
      count += this.#publishTimes[index] ?? 0
      text += `${name}_bucket{le="${bound}"} ${count}\n`
    }
    return `${text}${name}_count ${count}\n${name}_sum ${this.#publishSeconds}\n`
  }
}

function renderFamily({ name, type, unit, help, samples }: MetricFamily): string {
  let text = `# TYPE ${name} ${type}\n`
  if (unit !== undefined) text += `# UNIT ${name} ${unit}\n`
  text += `# HELP ${name} ${help}\n`
  const suffix = type === 'counter' ? '_total' : ''
  for (const [labels, value] of Object.entries(samples)) text += `${name}${suffix}${labels} ${value}\n`
  return text
}
