import type { JobHeader } from '../../../shared/document/job.ts'
import { matchesText } from '../../../shared/document/matches-text.ts'

/** A place that the palette leads to. */
export interface PaletteEntry {
  label: string
  /** What stands beside it: the state of a job. */
  hint?: string | undefined
  /** Relative to where the app is mounted. */
  href: string
}

/** Most jobs that the palette offers: more are for the search of the list. */
const MOST_JOBS = 8

/** The places and jobs that a text leaves, places first. Without a text, the newest jobs. */
export function findEntries<Row extends { job: JobHeader }>(
  text: string,
  places: readonly PaletteEntry[],
  rows: readonly Row[],
  toEntry: (row: Row) => PaletteEntry,
): PaletteEntry[] {
  const words = text.trim()
  const found = places.filter(({ label }) => label.toLowerCase().includes(words.toLowerCase()))
  const jobs: PaletteEntry[] = []
  for (const row of rows) {
    if (jobs.length === MOST_JOBS) break
    if (words === '' || matchesText(row.job, words)) jobs.push(toEntry(row))
  }
  return [...found, ...jobs]
}
