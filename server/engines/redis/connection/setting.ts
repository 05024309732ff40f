import { ConfigError } from '../../../config.ts'

/** Where a server listens. */
export interface Address {
  host: string
  port: number
}

/** What `MILEPOST_ENGINE` says of a Redis or Valkey server. */
export interface RedisSetting {
  /** The server; any nodes of a cluster; or the Sentinels. */
  addresses: Address[]
  tls: boolean
  username?: string
  password?: string
  /** Number of the logical database. A cluster has only 0. */
  database: number
  /** Name of the primary that the Sentinels watch. */
  sentinel?: string
}

const FORM = 'redis://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/DATABASE][?sentinel=NAME]'
const PATTERN = /^(redis|rediss|valkey):\/\/(?:([^@/?]*)@)?([^@/?]*)(?:\/(\d{0,5}))?(?:\?sentinel=([\w.-]+))?$/
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/
const PORTS = { server: 6_379, sentinel: 26_379 }

/**
 * Parses a setting such as `redis://user:password@10.0.0.7:6379/0`.
 *
 * @throws ConfigError, which does not repeat the setting: it may have a password
 */
export function parseRedisSetting(setting: string): RedisSetting {
  const [matched, scheme, credentials, hosts = '', database, sentinel] = PATTERN.exec(setting) ?? []
  if (matched === undefined) throw new ConfigError(`MILEPOST_ENGINE is not of the form ${FORM} (or rediss, valkey).`)
  const port = sentinel === undefined ? PORTS.server : PORTS.sentinel
  return {
    addresses: hosts.split(',').map((text) => addressOf(text, port)),
    tls: scheme === 'rediss',
    ...credentialsOf(credentials),
    database: Number(database || 0),
    ...(sentinel !== undefined && { sentinel }),
  }
}

function addressOf(text: string, defaultPort: number): Address {
  const [, host, port] = ADDRESS.exec(text) ?? []
  if (host === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) === 0) {
    throw new ConfigError(`MILEPOST_ENGINE has the address "${text}". Give it one such as 10.0.0.7:6379.`)
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? defaultPort) }
}

/** `user:password`, `:password` or `user`, each percent-encoded. */
function credentialsOf(text: string | undefined): Pick<RedisSetting, 'username' | 'password'> {
  if (text === undefined || text === '') return {}
  const colon = text.indexOf(':')
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  try {
    return {
      ...(user !== '' && { username: decodeURIComponent(user) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
    }
  } catch {
    throw new ConfigError(
      'MILEPOST_ENGINE has a user or password with a % that is not of a percent-encoding: write %25.',
    )
  }
}

/** `10.0.0.7:6379`, and `[::1]:6379`. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
