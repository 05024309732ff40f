import { readFile, stat } from 'node:fs/promises'
import { ConfigError } from '../config.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * A secret from the environment, or from the file that `NAME_FILE` names: systemd and containers hand secrets over as files, and so
 * neither a child process nor a listing of the environment has them.
 *
 * @param name of the variable: `MILEPOST_SECRET`
 * @throws ConfigError for a file that can't be read, is empty or is not a regular one, and when both are set
 */
export async function readSecret(environment: Environment, name: string): Promise<string | undefined> {
  const [text, file] = [environment[name]?.trim(), environment[`${name}_FILE`]?.trim()]
  if (!file) return text || undefined
  const about = `${name}_FILE is "${file}"`
  if (text) throw new ConfigError(`${about}, and ${name} is set too. Set one of the two.`)
  const unreadable = (error: unknown) => {
    // Deno says of a missing permission itself which one it is.
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ConfigError(`${about}, which can't be read (${error.code}). Name a readable file.`)
  }
  const found = await stat(file).catch(unreadable)
  // A pipe or a device may have no end.
  if (!found.isFile()) throw new ConfigError(`${about}, which is not a regular file. Name one that is.`)
  const content = await readFile(file, 'utf8').catch(unreadable)
  if (content.trim() === '') throw new ConfigError(`${about}, which is empty. Put into it what ${name} would be.`)
  return content.trim()
}
