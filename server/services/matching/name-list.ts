import { countOf } from '../kit/amounts.ts'
import { reasonOf } from '../kit/untrusted-text.ts'
import { readText } from '../kit/utf8.ts'
import { parseCsv } from './csv.ts'
import { nameWords, normaliseName } from './normalise-name.ts'

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
  /** Its name as words to compare; may be empty. */
  words: string[]
}

/** Most records of a list: each becomes an item, and is kept in memory. */
const MAX_RECORDS = 50_000

/**
 * The index of the column with names: the one titled `name`, else the first whose title contains that word, else the only one.
 *
 * @throws when there is none; the message lists the columns
 */
export function findNameColumn(header: readonly string[]): number {
  const titles = header.map((title) => normaliseName(title))
  const exact = titles.indexOf('name')
  if (exact >= 0) return exact
  const partly = titles.findIndex((title) => title.split(' ').includes('name') || title.endsWith('name'))
  if (partly >= 0) return partly
  if (header.length === 1) return 0
  throw new Error(`There is no column “name”. Columns: ${header.slice(0, 10).join(', ').slice(0, 200)}`)
}

/** Awaited between two pieces of work: see {@link createCheckpoint}. */
type Checkpoint = () => Promise<void>

/** The text of a list in pieces, with a checkpoint for each: a list of blank lines has no rows with checkpoints. */
async function* pieces(file: NameFile, checkpoint: Checkpoint): AsyncGenerator<string> {
  for await (const piece of readText(file.stream())) {
    await checkpoint()
    yield piece
  }
}

/**
 * Checks that a file is a list with a column of names. Reads only its first row.
 *
 * @throws with a message for the user
 */
export async function checkNameFile(file: NameFile, checkpoint: Checkpoint): Promise<void> {
  for await (const header of parseCsv(pieces(file, checkpoint))) {
    findNameColumn(header)
    return
  }
  throw new Error('It is empty.')
}

/**
 * Reads the records of a list, with a checkpoint at each.
 *
 * @throws with the name of the file, when it is not CSV, has no column of names, or too many records
 */
export async function* readNames(file: NameFile, checkpoint: Checkpoint): AsyncGenerator<NamedRecord> {
  let column: number | undefined
  let row = 0
  try {
    for await (const fields of parseCsv(pieces(file, checkpoint))) {
      row += 1
      await checkpoint()
      if (row > MAX_RECORDS + 1) throw new Error(`It has over ${countOf(MAX_RECORDS, 'record')}. Send it in parts.`)
      if (column === undefined) {
        column = findNameColumn(fields)
        continue
      }
      const name = (fields[column] ?? '').trim()
      yield { row, name, words: nameWords(name) }
    }
  } catch (error) {
    throw new Error(`${file.name}: ${reasonOf(error)}`)
  }
}
