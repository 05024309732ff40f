import { parseArgs } from 'node:util'
import { ConfigError, readConfig } from '../config.ts'
import { backUp, restore } from '../engines/sqlite/backup.ts'

const usage = `milepost backup FILE [--engine sqlite:PATH]
milepost restore FILE [--engine sqlite:PATH]

backup copies the database of MILEPOST_ENGINE to a new file, while the server runs.
restore puts such a copy in the place of the database; stop the server first. Everyone has to sign in again.`

/**
 * Copies the database to a file, or the other way round.
 *
 * @returns what was done, or how to call it
 * @throws ConfigError for arguments that can't be used; EngineOpenError for files that can't
 */
export function copyDatabase(
  direction: 'backup' | 'restore',
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { engine: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return usage
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new ConfigError(`Name one file: milepost ${direction} FILE.`)
  const { engine } = readConfig({ MILEPOST_ENGINE: values.engine ?? environment.MILEPOST_ENGINE })
  if (!engine.startsWith('sqlite:')) {
    throw new ConfigError(`MILEPOST_ENGINE is "${engine}". Only sqlite:PATH is a file that can be copied.`)
  }
  const path = engine.slice('sqlite:'.length)
  if (direction === 'backup') {
    backUp(path, file)
    return `${path} is copied to ${file}.`
  }
  restore(path, file)
  return `${path} is as ${file} has it.`
}
