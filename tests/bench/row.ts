import type { Figures, Options } from './target.ts'

/** A figure that is found, as the tables show it. */
export interface Column {
  figure: string
  label: string
  /** Whether more of it is better than less. */
  isMoreBetter?: boolean
}

/** What the first contestant of a row has to reach. */
export interface Goal {
  figure: string
  /** The contestant that it is held against; left out, the figure itself is. */
  against?: string
  /** Another row's figure of its own that it is held against. */
  againstRow?: string
  atMost?: number
  atLeast?: number
}

/** One that a row measures. */
export interface Contestant {
  /** As the table calls it. */
  name: string
  /** Whose figures they are, where the name says something else. */
  of?: string
  /** Whether it is measured only when it is asked for: no goal names it. */
  isExtra?: boolean
  /** Why it can't be measured on this machine, if it can't. */
  missing(): string | undefined
  measure(options: Options): Promise<Figures>
}

/** One line of the bench: the same work for each contestant, one after another. */
export interface Row {
  name: string
  title: string
  /** The first is ours. */
  contestants: readonly Contestant[]
  options: Options
  /** What a quick run takes less time for; its work is the same. */
  quick?: Options
  /** Seconds that a measure takes, about, beyond those that its options name; left out, 1.5. */
  takes?: number
  /** Whether it is measured in the first round only. */
  isOnce?: boolean
  /** The first is the one that tells most. */
  columns: readonly Column[]
  goals: readonly Goal[]
}

/** What a row's contestants are measured with. */
export function optionsOf({ options, quick }: Row, isQuick: boolean): Options {
  const short = { warmUp: 0.7, seconds: 1, ...(options.firstSeconds ? { firstSeconds: 1 } : {}) }
  return isQuick ? { ...options, ...short, ...quick } : options
}

/** How long a measure takes, about: seconds. */
export function expectedSeconds(row: Row, isQuick: boolean): number {
  const { firstSeconds = 0, warmUp = 0, seconds = 0, askSeconds = 0 } = optionsOf(row, isQuick)
  return firstSeconds + warmUp + seconds + askSeconds + (row.takes ?? 1.5)
}

/** What most rows of producers measure. */
export const rate = { figure: 'rate', label: 'events acknowledged/s', isMoreBetter: true }
