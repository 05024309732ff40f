import { parseArgs } from 'node:util'
import { defaultLimits } from '../../shared/limits.ts'
import { limitVariable, settings } from '../config.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The flag that stands for an environment variable: `MILEPOST_FRAME_MS` → `frame-ms`. */
const flagOf = (variable: string) =>
  variable
    .replace(/^MILEPOST_/, '')
    .toLowerCase()
    .replaceAll('_', '-')

const limitVariables = Object.entries(defaultLimits).map(
  ([name, value]) => [limitVariable(name), `${value} by default.`] as const,
)

/**
 * The environment with what flags say over it.
 *
 * @throws TypeError, with a code of ERR_PARSE_ARGS, for a flag that there isn't
 */
export function environmentFrom(args: string[], environment: Environment): Environment {
  const variables = [...Object.keys(settings), ...limitVariables.map(([variable]) => variable)]
  const options = Object.fromEntries(variables.map((variable) => [flagOf(variable), { type: 'string' as const }]))
  const { values } = parseArgs({ args, options, strict: true })
  const set = variables.flatMap((variable) => {
    const value = values[flagOf(variable)]
    return typeof value === 'string' ? [[variable, value]] : []
  })
  return { ...environment, ...Object.fromEntries(set) }
}

/** What there is to be done, and the settings with their defaults. */
export function help(): string {
  const line = ([variable, meaning]: readonly [string, string]) =>
    ['  --', flagOf(variable).padEnd(20), variable.padEnd(28), meaning].join('')
  return [
    'Milepost: live job progress for the web.',
    '',
    'milepost serve [settings]       the server and its dashboard',
    'milepost sync SOURCE TARGET     copies what differs between two directories; --help says more',
    'milepost token --sub NAME       an access token, signed with MILEPOST_SECRET; --help says more',
    'milepost --version              the version of this program',
    '',
    'Settings, as flags or in the environment:',
    ...Object.entries(settings).map(line),
    '',
    'Limits:',
    ...limitVariables.map(line),
  ].join('\n')
}
