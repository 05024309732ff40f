import type { MachineUse } from './noise.ts'
import type { Figures } from './target.ts'

/** The figures of each round, by row and contestant. */
export type Results = Map<string, Map<string, Figures[]>>

/** A run, as it is written to a file. */
export interface Run {
  /** When it ended, on what, and what it ran. */
  at: string
  machine: string
  versions: string
  rounds: number
  isQuick: boolean
  /** Whether it was ended before all was measured. */
  isPart: boolean
  use: MachineUse
  /** Whether the servers had a core to themselves. */
  pinned: boolean
  /** Why a contestant was not measured, by its name. */
  absent: Record<string, string>
  /** Why a measure failed, by row and contestant. */
  failed: Record<string, string>
  figures: Record<string, Record<string, Figures[]>>
}

/** Adds what a round found. */
export function addFigures(results: Results, row: string, contestant: string, figures: Figures): void {
  const of = results.get(row) ?? new Map<string, Figures[]>()
  results.set(row, of)
  of.set(contestant, [...(of.get(contestant) ?? []), figures])
}

export const writeResults = (results: Results): Run['figures'] =>
  Object.fromEntries([...results].map(([row, of]) => [row, Object.fromEntries(of)]))

export const readResults = (figures: Run['figures']): Results =>
  new Map(Object.entries(figures).map(([row, of]) => [row, new Map(Object.entries(of))]))

/** The middle one; NaN when there is none. What is no number, as JSON writes NaN, is left out. */
export function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The median of the rounds; NaN when it was not found. */
export function figureOf(results: Results, row: string, contestant: string | undefined, figure: string): number {
  const rounds = results.get(row)?.get(contestant ?? '') ?? []
  return median(rounds.map((figures) => figures[figure] ?? Number.NaN))
}

/** A number to three places, or to a whole one in groups of thousands. */
export function format(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en')
  return `${Number(value.toPrecision(3))}`
}
