import { mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock, systemRandom } from '../../../shared/time/clock.ts'
import { EngineOpenError } from '../../jobs/engine.ts'
import { untilUnlocked } from './access.ts'
import { keys } from './keys.ts'
import { addDueLists, listAmongEveryones } from './migrate.ts'
import { KV_FORMAT } from './values.ts'

/** Deno KV sets no application id in its files, but they all have this table. */
const isOfAnother = (tables: string[]) => tables.length > 0 && !tables.includes('data_version')

/**
 * Opens a store. Creates a missing file and its folder; does not touch another program's file.
 *
 * @param place a file, the URL of a database, or empty for the database of the Deno Deploy app
 * @throws {EngineOpenError}
 */
export async function openKv(place: string): Promise<Deno.Kv> {
  if (typeof Deno.openKv !== 'function') {
    throw new EngineOpenError('Deno KV is switched off: add --unstable-kv, or "unstable": ["kv"] to deno.json.')
  }
  try {
    if (place !== '' && !URL.canParse(place)) inspect(place)
    return await untilUnlocked(() => open(place), systemClock, systemRandom)
  } catch (error) {
    throw openError(place, error)
  }
}

/** Throws if the path is another program's file or a directory: Deno (2.9.5) creates its tables in any SQLite file. */
function inspect(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) mkdirSync(dirname(path), { recursive: true })
  else if (found.isDirectory()) {
    throw new EngineOpenError(`${path} is a directory: name a file, such as ${join(path, 'milepost.kv')}.`)
  } else if (isOfAnother(tablesOf(path))) {
    throw new EngineOpenError(`${path} is a SQLite file of another program: name another file.`)
  }
}

function tablesOf(path: string): string[] {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    // Processes that start together lock the file while they make it. One that keeps it locked is told of soon.
    db.exec('PRAGMA busy_timeout = 2000')
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    return tables.map(({ name }) => String(name))
  } finally {
    db.close()
  }
}

async function open(place: string): Promise<Deno.Kv> {
  const kv = await Deno.openKv(place === '' ? undefined : place)
  try {
    await checkFormat(kv, place)
    return kv
  } catch (error) {
    kv.close()
    throw error
  }
}

async function checkFormat(kv: Deno.Kv, place: string): Promise<void> {
  const found = await kv.get<number>(keys.format)
  if (found.value === 1) {
    await addDueLists(kv)
    await listAmongEveryones(kv)
  }
  if (found.value === null || found.value < KV_FORMAT)
    await kv.atomic().check(found).set(keys.format, KV_FORMAT).commit()
  else if (found.value > KV_FORMAT) {
    throw new EngineOpenError(
      `${place || 'The store'} was written by a newer Milepost (format ${found.value}, this one knows ${KV_FORMAT}): run that one, or name another.`,
    )
  }
}

/** An error as a sentence for the operator. */
function openError(place: string, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new EngineOpenError(sentenceFor(place, reason, error instanceof Deno.errors.NotCapable), { cause: error })
}

function sentenceFor(place: string, reason: string, isPermission: boolean): string {
  if (place === '') return `There is no store (${reason}): add a Deno KV database to the app.`
  if (reason.includes('file is not a database'))
    return `${place} is not a file of Deno KV: name another file, or move this one away.`
  // Deno's message names the missing permission and its flag.
  if (isPermission) return `${place} can't be opened: ${reason}.`
  return `${place} can't be opened (${reason}): give this user permission to read and write the file and its folder.`
}
