/** A server under measure, as the load generator speaks to it. Goes from process to process as JSON. */
export interface Target {
  /** Its process; what it costs is what this and its children cost. */
  pid: number
  port: number
  /** Where a job is published to and watched: paths in which `{job}` stands for its id. */
  publishPath: string
  watchPath: string
  /** How events are found in its stream: Milepost numbers them by version and merges them, others relay what they are sent. */
  wire: 'milepost' | 'relay'
  /** Bearer token, where one is asked for. */
  token?: string
  /** That of another principal. */
  otherToken?: string
  /** Its SQLite file, if that is where it keeps its jobs. */
  store?: string
  /** Other processes that share its Redis, and that Redis. */
  others?: { pid: number; port: number }[]
  redis?: { pid: number; port: number }
}

/** What a workload is run with, and what it found: plain numbers, by name. */
export type Options = Readonly<Record<string, number>>
export type Figures = Record<string, number>
