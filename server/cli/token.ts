import { parseArgs } from 'node:util'
import { flawOfIdentity, scopes } from '../auth/access.ts'
import { ConfigError } from '../config.ts'
import { signAccessToken } from './access-token.ts'
import { refuseSecret } from './flags.ts'
import { settingsOf } from './settings.ts'

const usage = `milepost token --sub NAME [--tenant TENANT] [--scope "jobs:read jobs:write"] [--seconds 3600]

With --tenant, NAME is in a tenant and knows nothing of others. Without, the scope jobs:admin sees all tenants.
A backend that creates jobs for its users needs --scope "jobs:write jobs:assign".

Prints an access token for NAME, signed with the first MILEPOST_SECRET (or MILEPOST_SECRET_FILE), or with the secret that the server generated beside its store.`

/** Runs `milepost token`. @returns an access token, or the usage. @throws ConfigError for invalid arguments */
export async function createToken(args: string[], env: Readonly<Record<string, string | undefined>>): Promise<string> {
  refuseSecret(args, 'secret', 'Set MILEPOST_SECRET or MILEPOST_SECRET_FILE instead.')
  const { values } = parseArgs({
    args,
    options: {
      sub: { type: 'string' },
      tenant: { type: 'string' },
      scope: { type: 'string', default: 'jobs:read jobs:write' },
      seconds: { type: 'string', default: '3600' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return usage
  const settings = await settingsOf(env)
  if (!values.sub) throw new ConfigError('Name the subject of the token: --sub NAME.')
  const flaw = flawOfIdentity(values.sub, values.tenant)
  if (flaw !== undefined)
    throw new ConfigError(`The server would refuse this token: ${flaw}. Name a tenant by --tenant.`)
  const seconds = Number(values.seconds)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > settings.tokenSeconds) {
    throw new ConfigError(
      `Give --seconds a whole number from 1 to ${settings.tokenSeconds}, the maximum set by MILEPOST_TOKEN_SECONDS.`,
    )
  }
  const unknown = values.scope.split(' ').find((word) => !scopes.some((scope) => scope === word))
  if (unknown !== undefined) throw new ConfigError(`"${unknown}" is not a scope. The scopes are: ${scopes.join(', ')}.`)
  return signAccessToken(settings, { sub: values.sub, tenant: values.tenant, scope: values.scope, seconds })
}
