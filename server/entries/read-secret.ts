import { readFile, stat } from 'node:fs/promises'
import { ConfigError, fileSettings } from '../config.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads a secret, or another setting that may contain one, from the environment or from the file that `NAME_FILE` names. systemd and containers pass secrets as files, which keeps
 * them out of child processes and listings of the environment.
 *
 * @param name of the variable: `MILEPOST_SECRET`
 * @throws ConfigError for a file that is unreadable, empty or not regular, and when both variables are set
 */
export async function readSecret(environment: Environment, name: string): Promise<string | undefined> {
  const [text, file] = [environment[name]?.trim(), environment[`${name}_FILE`]?.trim()]
  if (!file) return text || undefined
  const about = `${name}_FILE is "${file}"`
  if (text) throw new ConfigError(`${about}, and ${name} is set too. Set one of the two.`)
  const unreadable = (error: unknown) => {
    // Deno's error for a missing permission has no code and names the permission.
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ConfigError(`${about}, which can't be read (${error.code}). Name a readable file.`)
  }
  const found = await stat(file).catch(unreadable)
  // Reading a pipe or device may never end.
  if (!found.isFile()) throw new ConfigError(`${about}, which is not a regular file. Name one that is.`)
  const content = await readFile(file, 'utf8').catch(unreadable)
  if (content.trim() === '') throw new ConfigError(`${about}, which is empty. Put the value of ${name} into it.`)
  return content.trim()
}

/** The environment with such files read, and without the variables that name their files. @throws ConfigError as `readSecret` */
export async function withSecrets(environment: Environment): Promise<Environment> {
  const read = await Promise.all(
    fileSettings.map(async (name) => [
      [name, await readSecret(environment, name)],
      [`${name}_FILE`, undefined],
    ]),
  )
  return { ...environment, ...Object.fromEntries(read.flat()) }
}
