import { parseArgs } from 'node:util'
import { defaultLimits, type Limits } from '../../shared/document/limits.ts'
import { withoutSlash } from '../../shared/wire/paths.ts'
import { ConfigError, limitHelp, limitVariable, secretSettings, settings } from '../config.ts'
import { commands } from './commands.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The flag of an environment variable: `MILEPOST_FRAME_MS` → `frame-ms`. */
const flagOf = (variable: string) =>
  variable
    .replace(/^MILEPOST_/, '')
    .toLowerCase()
    .replaceAll('_', '-')

const limitVariables = Object.entries(limitHelp).map(
  ([name, meaning]) => [limitVariable(name), `${meaning} ${defaultLimits[name as keyof Limits]} by default.`] as const,
)

/**
 * Refuses a secret among the arguments: other users can read arguments (`ps`), and shells keep them in their history.
 *
 * @throws ConfigError that does not repeat the secret
 */
export function refuseSecret(args: readonly string[], flag: string, instead: string): void {
  if (!args.some((arg) => arg === `--${flag}` || arg.startsWith(`--${flag}=`))) return
  throw new ConfigError(`--${flag} is refused: everyone on this machine can read arguments. ${instead}`)
}

/**
 * Reads the URL of a server from arguments. Adds the slash at its end that paths of the API need.
 *
 * @param instead where the credentials belong
 * @throws ConfigError for a URL with a user name or password, which it does not repeat, and for any other text
 */
export function serverUrl(text: string, instead: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (url && isHttp && url.username === '' && url.password === '') {
    url.pathname = `${withoutSlash(url.pathname)}/`
    return url
  }
  if (isHttp || text.includes('@')) {
    throw new ConfigError(
      `--url is refused with a user name or password: everyone on this machine can read arguments. ${instead}`,
    )
  }
  throw new ConfigError(`"${text}" is not a URL. Try http://localhost:8787/.`)
}

const isSecret = (variable: string) => secretSettings.some((secret) => secret === variable)

/** The flags of all settings that are no secrets. */
export const settingFlags = [...Object.keys(settings), ...limitVariables.map(([variable]) => variable)]
  .filter((variable) => !isSecret(variable))
  .map((variable) => `--${flagOf(variable)}`)

/**
 * Merges flags into the environment; flags win.
 *
 * @throws ConfigError for a secret among the flags; TypeError with a code ERR_PARSE_ARGS… for an unknown flag
 */
export function environmentFrom(args: string[], environment: Environment): Environment {
  for (const secret of secretSettings) refuseSecret(args, flagOf(secret), `Set ${secret} or ${secret}_FILE instead.`)
  const variables = [...Object.keys(settings), ...limitVariables.map(([variable]) => variable)].filter(
    (variable) => !isSecret(variable),
  )
  const options = Object.fromEntries(variables.map((variable) => [flagOf(variable), { type: 'string' as const }]))
  const { values } = parseArgs({ args, options, strict: true })
  const set = variables.flatMap((variable) => {
    const value = values[flagOf(variable)]
    return typeof value === 'string' ? [[variable, value]] : []
  })
  return { ...environment, ...Object.fromEntries(set) }
}

/** The text of `milepost --help`: commands, and settings with their defaults. */
export function help(): string {
  const line = ([variable, meaning]: readonly [string, string]) =>
    [`  ${isSecret(variable) ? '' : `--${flagOf(variable)}`}`.padEnd(31), variable.padEnd(36), meaning].join('')
  return [
    'Milepost: live job progress for the web.',
    '',
    ...commands.map(({ name, form, summary }) => `${`milepost ${name} ${form}`.padEnd(32)} ${summary}`),
    'milepost --version              prints the version',
    'Every command has its own --help.',
    '',
    'Settings, as flags or environment variables (secrets: environment variables or files):',
    ...Object.entries(settings).map(line),
    '',
    'Limits:',
    ...limitVariables.map(line),
  ].join('\n')
}
