import { parseArgs } from 'node:util'
import { ConfigError, readConfig } from '../config.ts'
import { backUp, restore } from '../engines/sqlite/file/backup.ts'
import { readSecret } from '../entries/read-secret.ts'

const usage = `milepost backup FILE [--engine sqlite:PATH]
milepost restore FILE [--engine sqlite:PATH]

backup copies the database of MILEPOST_ENGINE to a new file; the server may be running.
restore replaces the database by such a copy; stop the server first. All sessions end.`

/**
 * Runs `milepost backup` or `milepost restore`.
 *
 * @returns the text to print
 * @throws ConfigError for invalid arguments; EngineOpenError for files that can't be used
 */
export async function copyDatabase(
  direction: 'backup' | 'restore',
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { engine: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return usage
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new ConfigError(`Name one file: milepost ${direction} FILE.`)
  const { engine } = readConfig({
    MILEPOST_ENGINE: values.engine ?? (await readSecret(environment, 'MILEPOST_ENGINE')),
  })
  if (!engine.startsWith('sqlite:')) {
    throw new ConfigError(`MILEPOST_ENGINE is "${engine}". Only sqlite:PATH can be copied.`)
  }
  const path = engine.slice('sqlite:'.length)
  if (direction === 'backup') {
    backUp(path, file)
    return `Copied ${path} to ${file}.`
  }
  restore(path, file)
  return `Restored ${path} from ${file}.`
}
