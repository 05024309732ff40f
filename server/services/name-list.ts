import { countOf } from './amounts.ts'
import { reasonOf } from './clip.ts'
import { parseCsv } from './csv.ts'
import { normaliseName } from './normalise-name.ts'
import { readText } from './utf8.ts'

/** A CSV file with a column of names. */
export interface NameFile {
  name: string
  /** Bytes. */
  size: number
  stream(): ReadableStream<Uint8Array>
}

/** A record of a list. */
export interface NamedRecord {
  /** Its row in the file; the header is row 1. */
  row: number
  name: string
  /** Its name as words to compare; none when there is nothing to compare. */
  words: string[]
}

/** Records that a list may have: what a job's items and a process's memory take without pain. */
export const MOST_RECORDS = 50_000

/**
 * The place of the column that holds names: the one called `name`, else the first with that word in what it is called, else the only one.
 *
 * @throws when there is none, saying what there is
 */
export function findNameColumn(header: readonly string[]): number {
  const titles = header.map((title) => normaliseName(title))
  const exact = titles.indexOf('name')
  if (exact >= 0) return exact
  const partly = titles.findIndex((title) => title.split(' ').includes('name') || title.endsWith('name'))
  if (partly >= 0) return partly
  if (header.length === 1) return 0
  throw new Error(`No column is called “name”. There are: ${header.slice(0, 10).join(', ').slice(0, 200)}`)
}

/**
 * Reads as much of a list as it takes to see that it is one.
 *
 * @throws in words for whoever chose the file
 */
export async function checkNameFile(file: NameFile): Promise<void> {
  for await (const header of parseCsv(readText(file.stream()))) {
    findNameColumn(header)
    return
  }
  throw new Error('It is empty.')
}

/**
 * The records of a list, as they are read.
 *
 * @throws with the name of the file, when it is no CSV, has no names or too many
 */
export async function* readNames(file: NameFile): AsyncGenerator<NamedRecord> {
  let column: number | undefined
  let row = 0
  try {
    for await (const fields of parseCsv(readText(file.stream()))) {
      row += 1
      if (row > MOST_RECORDS + 1) throw new Error(`It has over ${countOf(MOST_RECORDS, 'record')}. Send it in parts.`)
      if (column === undefined) {
        column = findNameColumn(fields)
        continue
      }
      const name = (fields[column] ?? '').trim()
      yield { row, name, words: normaliseName(name).split(' ').filter(Boolean) }
    }
  } catch (error) {
    throw new Error(`${file.name}: ${reasonOf(error)}`)
  }
}
