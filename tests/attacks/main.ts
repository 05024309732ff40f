/** Writes the table of attacks into its document: `bun tests/attacks/main.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { DOCUMENT, placeAttacks } from './table.ts'

await writeFile(DOCUMENT, placeAttacks(await readFile(DOCUMENT, 'utf8')))
