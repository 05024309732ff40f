import { defaultLimits, type Limits } from '../shared/document/limits.ts'
import { withoutSlash } from '../shared/wire/paths.ts'
import { webhookUrlSchema } from '../shared/wire/webhooks.ts'
import { DEFAULT_TOKEN_SECONDS, SECRET_BYTES } from './auth/auth.ts'
import { parseRange } from './support/ip-address.ts'
import { isSafeUrl } from './support/safe-url.ts'

/** A setting is invalid. The message says what is wrong and what is valid. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The configuration of a server, read from its settings by {@link readConfig}. */
export interface Config {
  port: number
  /** The address to listen on. Omitted: the entry chooses. */
  host: string | undefined
  /** Omitted: not configured; the entry makes one. */
  secret: string[] | undefined
  issuer: string | undefined
  audience: string | undefined
  /** Longest life of an access token: seconds. */
  tokenSeconds: number
  /** URL of an identity provider's keys. Needs an issuer and an audience. */
  jwksUrl: string | undefined
  /** An OpenID provider that signs people in. */
  oidc: { issuer: string; clientId: string; clientSecret: string } | undefined
  subClaim: string | undefined
  tenantClaim: string | undefined
  scopeClaim: string | undefined
  /** In the form of `MILEPOST_ENGINE`: `sqlite:PATH`, `memory:`, `redis://HOST`, `deno-kv:PATH`. */
  engine: string
  /** What an acknowledged event survives, in an engine where that can be chosen. */
  acknowledge: 'memory' | 'disk' | 'replica' | undefined
  origins: string[]
  /** Public origin of the server. */
  publicOrigin: string | undefined
  /** Path of the server without a slash at its end; empty for the root. */
  basePath: string
  /** Addresses and address ranges. */
  trustedProxies: string[]
  hstsSeconds: number | undefined
  frameMs: number
  pingSeconds: number
  retentionSeconds: number
  auditSeconds: number
  webhooks: { urls: string[]; networks: string[] }
  /** What is written to the server log besides errors. */
  log: readonly LogKind[]
  limits: Limits
}

/** Default retention of ended jobs: 30 days, in seconds. */
export const DEFAULT_RETENTION_SECONDS = 2_592_000

/** Default life of the audit's records: 30 days, in seconds. */
export const DEFAULT_AUDIT_SECONDS = 2_592_000

const logKinds = ['requests', 'audit'] as const
type LogKind = (typeof logKinds)[number]

/** Default and maximum interval of pings: clients take 75 s of silence for a lost connection. */
export const DEFAULT_PING_SECONDS = 30

/** A hundred years. More is a mistake of units, and may exceed the range of dates. */
const MAX_SECONDS = 3_155_760_000

type Environment = Readonly<Record<string, string | undefined>>

/** Help texts of the settings that are not limits. */
export const settings = {
  PORT: 'The port to listen on. 8787 by default.',
  HOST: 'The address to listen on. 127.0.0.1 by default, all addresses once MILEPOST_SECRET is set.',
  MILEPOST_SECRET: 'Signs tokens: 32 bytes at least. Several, separated by commas: the first signs, all verify.',
  MILEPOST_SECRET_FILE: 'A file that holds the value of MILEPOST_SECRET.',
  MILEPOST_ISSUER: 'Required iss of access tokens. Any by default.',
  MILEPOST_AUDIENCE: 'Required aud of access tokens. Any by default.',
  MILEPOST_TOKEN_SECONDS: 'Longest life of an access token, in seconds. 7776000 (90 days) by default.',
  MILEPOST_JWKS_URL:
    'Keys of an identity provider whose access tokens are accepted: https://id.example.com/jwks. Needs MILEPOST_ISSUER and MILEPOST_AUDIENCE.',
  MILEPOST_OIDC_ISSUER:
    'OpenID provider that signs people in to the dashboard: https://id.example.com. Needs MILEPOST_PUBLIC_URL.',
  MILEPOST_OIDC_CLIENT_ID: 'Client id at that provider. Its redirect URI is /sign-in/callback below the public URL.',
  MILEPOST_OIDC_CLIENT_SECRET: 'Client secret at that provider.',
  MILEPOST_OIDC_CLIENT_SECRET_FILE: 'A file that holds the value of MILEPOST_OIDC_CLIENT_SECRET.',
  MILEPOST_SUB_CLAIM: 'Claim of access tokens and ID tokens that names the principal. sub by default.',
  MILEPOST_TENANT_CLAIM:
    'Claim of access tokens and ID tokens that names the tenant of the principal, if it has one. tenant by default.',
  MILEPOST_SCOPE_CLAIM:
    'Claim of access tokens that has the scopes. The first of scope, scp and permissions by default.',
  MILEPOST_ENGINE:
    'Where jobs are stored: sqlite:PATH, memory:, redis://HOST or, on Deno, deno-kv:PATH. sqlite:./data/milepost.db by default.',
  MILEPOST_ENGINE_FILE: 'A file that holds the value of MILEPOST_ENGINE, which may contain a password.',
  MILEPOST_ACKNOWLEDGE:
    'What an acknowledged event survives in Redis: memory (a crash of Milepost), disk (a restart of Redis) or replica (its loss). memory by default.',
  MILEPOST_ORIGINS: 'Origins whose pages may call the API, separated by commas. None by default.',
  MILEPOST_PUBLIC_URL:
    'Public address of the server: https://example.com or, under a path, https://example.com/mp. Links begin with it.',
  MILEPOST_BASE_PATH: 'Path of the server: /mp. That of MILEPOST_PUBLIC_URL by default.',
  MILEPOST_TRUSTED_PROXIES:
    'Addresses of proxies whose X-Forwarded-For, -Proto and -Host (or Forwarded) are believed: 10.0.0.7,fd00::/8. None by default.',
  MILEPOST_HSTS_SECONDS: 'max-age of Strict-Transport-Security, in seconds. Not sent by default.',
  MILEPOST_FRAME_MS: 'How long changes are gathered into one frame, in milliseconds. 25 by default.',
  MILEPOST_PING_SECONDS: 'How often streams are pinged, in seconds. 30 by default, and at most.',
  MILEPOST_LOG:
    'What is written to the server log besides errors, as JSON unless it is a terminal: requests, audit, or both, separated by a comma. none by default.',
  MILEPOST_AUDIT_SECONDS: 'How long records of the audit are kept, in seconds. 2592000 (30 days) by default.',
  MILEPOST_WEBHOOK_URLS: 'URLs that are told of every job that ends or asks, separated by commas. None by default.',
  MILEPOST_WEBHOOK_URLS_FILE: 'A file that holds the value of MILEPOST_WEBHOOK_URLS, which may contain secrets.',
  MILEPOST_WEBHOOK_NETWORKS:
    'Private networks that the webhooks of jobs may be sent to, and without encryption: 10.0.0.7,fd00::/8. None by default.',
  MILEPOST_RETENTION_SECONDS: 'How long ended jobs are kept, in seconds. 2592000 (30 days) by default.',
} as const

/** Help texts of the limits, with units. */
export const limitHelp: Readonly<Record<keyof Limits, string>> = {
  eventBytes: 'Bytes of one event.',
  bodyBytes: 'Bytes of one publish request.',
  batchEvents: 'Events of one batch.',
  items: 'Items of one job.',
  steps: 'Steps of one job.',
  documentBytes: 'Bytes of the header, steps and items of one job.',
  resultBytes: 'Bytes of a result.',
  metadataBytes: 'Bytes of metadata.',
  messageBytes: 'Bytes of a message.',
  titleBytes: 'Bytes of a title, a label, or the id of an item or step.',
  streams: 'Open streams of one principal.',
  jobStreams: 'Open streams of the watch tokens of one job.',
  liveJobs: 'Jobs that one principal created and that have not ended.',
  keptJobs: 'Stored jobs that one principal created.',
  keptBytes: 'Bytes of the stored jobs that one principal created.',
  uploadBytes: 'Bytes of an upload to a reference service.',
  formParts: 'Parts of the form of an upload: files and other fields.',
  services: 'Reference services of one principal running at once.',
  publishesPerSecond: 'Publishes of one principal.',
  publishBytesPerSecond: 'Bytes of events of one principal.',
  createsPerSecond: 'Jobs that one principal creates.',
  tokensPerSecond: 'Tokens and sign-in links that one principal makes.',
  servicesPerSecond: 'Reference services that one principal starts.',
  requestsPerSecond: 'Other requests of one principal.',
  strangersPerSecond: 'Requests without valid credentials of one address.',
}

/** Settings that are never read from arguments, because all users of the machine can see those. */
export const secretSettings = [
  'MILEPOST_SECRET',
  'MILEPOST_OIDC_CLIENT_SECRET',
  'MILEPOST_WEBHOOK_URLS',
] as const satisfies (keyof typeof settings)[]

/** Settings whose value can be in a file, which `NAME_FILE` names. */
export const fileSettings = [...secretSettings, 'MILEPOST_ENGINE'] as const satisfies (keyof typeof settings)[]

/** Variables of the client commands, which use the same environment. */
const clientVariables: readonly string[] = ['MILEPOST_URL', 'MILEPOST_TOKEN', 'MILEPOST_TOKEN_FILE']

/** The environment variable that sets a limit: `eventBytes` → `MILEPOST_EVENT_BYTES`. */
export function limitVariable(limit: string): string {
  return `MILEPOST_${limit.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

const limitNames = Object.keys(defaultLimits) as (keyof Limits)[]

/** All environment variables that are read, for runtimes that need permission for each. */
export const variables: readonly string[] = [...Object.keys(settings), ...limitNames.map(limitVariable)]

/**
 * Reads the configuration.
 *
 * @throws ConfigError that names the setting and says what is valid; also for an unknown `MILEPOST_…`, probably a typing error
 */
export function readConfig(environment: Environment): Config {
  for (const name of Object.keys(environment)) {
    if (name.startsWith('MILEPOST_') && !variables.includes(name) && !clientVariables.includes(name)) {
      throw new ConfigError(`${name} is not a setting. "milepost --help" lists all settings.`)
    }
  }
  const text = (name: keyof typeof settings) => environment[name]?.trim() || undefined
  const list = (name: keyof typeof settings) =>
    text(name)
      ?.split(',')
      .map((part) => part.trim())
  // Entries with a file system have read the file by now.
  for (const name of fileSettings) {
    if (text(`${name}_FILE`)) {
      throw new ConfigError(`${name}_FILE does not work here, where there are no files. Set ${name} instead.`)
    }
  }
  const limits = { ...defaultLimits }
  for (const name of limitNames) limits[name] = wholeNumber(environment, limitVariable(name), 1) ?? limits[name]
  const retention = wholeNumber(environment, 'MILEPOST_RETENTION_SECONDS', 1, MAX_SECONDS)
  return {
    port: wholeNumber(environment, 'PORT', 0, 65_535) ?? 8787,
    host: text('HOST'),
    secret: list('MILEPOST_SECRET')?.map(checkSecret),
    issuer: text('MILEPOST_ISSUER'),
    audience: text('MILEPOST_AUDIENCE'),
    tokenSeconds: wholeNumber(environment, 'MILEPOST_TOKEN_SECONDS', 1, MAX_SECONDS) ?? DEFAULT_TOKEN_SECONDS,
    ...provider(text('MILEPOST_JWKS_URL'), text('MILEPOST_ISSUER'), text('MILEPOST_AUDIENCE')),
    oidc: oidcOf(text),
    subClaim: text('MILEPOST_SUB_CLAIM'),
    tenantClaim: text('MILEPOST_TENANT_CLAIM'),
    scopeClaim: text('MILEPOST_SCOPE_CLAIM'),
    engine: text('MILEPOST_ENGINE') ?? 'sqlite:./data/milepost.db',
    acknowledge: levelOf(text('MILEPOST_ACKNOWLEDGE')),
    origins: checkOrigins(list('MILEPOST_ORIGINS') ?? []),
    ...address(text('MILEPOST_PUBLIC_URL'), text('MILEPOST_BASE_PATH')),
    trustedProxies: (list('MILEPOST_TRUSTED_PROXIES') ?? []).map((text) =>
      checkRange(text, 'MILEPOST_TRUSTED_PROXIES'),
    ),
    hstsSeconds: wholeNumber(environment, 'MILEPOST_HSTS_SECONDS', 0, MAX_SECONDS),
    frameMs: wholeNumber(environment, 'MILEPOST_FRAME_MS', 0, 60_000) ?? 25,
    pingSeconds: wholeNumber(environment, 'MILEPOST_PING_SECONDS', 1, DEFAULT_PING_SECONDS) ?? DEFAULT_PING_SECONDS,
    retentionSeconds: retention ?? DEFAULT_RETENTION_SECONDS,
    auditSeconds: wholeNumber(environment, 'MILEPOST_AUDIT_SECONDS', 1, MAX_SECONDS) ?? DEFAULT_AUDIT_SECONDS,
    webhooks: {
      urls: (list('MILEPOST_WEBHOOK_URLS') ?? []).map(checkWebhookUrl),
      networks: (list('MILEPOST_WEBHOOK_NETWORKS') ?? []).map((text) => checkRange(text, 'MILEPOST_WEBHOOK_NETWORKS')),
    },
    log: (list('MILEPOST_LOG') ?? []).filter((kind) => kind !== 'none').map(checkLog),
    limits,
  }
}

function checkLog(text: string): LogKind {
  const kind = logKinds.find((known) => known === text)
  if (kind !== undefined) return kind
  throw new ConfigError(`MILEPOST_LOG has "${text}". Give it requests, audit, both separated by a comma, or none.`)
}

function levelOf(text: string | undefined): Config['acknowledge'] {
  if (text === undefined || text === 'memory' || text === 'disk' || text === 'replica') return text
  throw new ConfigError(`MILEPOST_ACKNOWLEDGE is "${text}". Give it memory, disk or replica.`)
}

function wholeNumber(
  environment: Environment,
  name: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = environment[name]?.trim()
  if (!text) return undefined
  const value = Number(text)
  if (!/^[0-9]+$/.test(text) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    throw new ConfigError(`${name} is "${text}". Give it a whole number ${range}.`)
  }
  return value
}

function checkSecret(secret: string): string {
  const bytes = new TextEncoder().encode(secret).length
  if (bytes >= SECRET_BYTES) return secret
  throw new ConfigError(
    `MILEPOST_SECRET has a secret of ${bytes} bytes. Give it ${SECRET_BYTES} or more: "openssl rand -hex 32" makes one.`,
  )
}

/** An identity provider: without issuer and audience, tokens that it made for other services would be accepted. */
function provider(
  jwksUrl: string | undefined,
  issuer: string | undefined,
  audience: string | undefined,
): Pick<Config, 'jwksUrl'> {
  if (jwksUrl === undefined) return { jwksUrl }
  if (!isSafeUrl(jwksUrl)) {
    throw new ConfigError(
      `MILEPOST_JWKS_URL is "${jwksUrl}". Give it an https URL: whoever can change the keys signs tokens.`,
    )
  }
  const missing = issuer === undefined ? 'MILEPOST_ISSUER' : audience === undefined ? 'MILEPOST_AUDIENCE' : undefined
  if (missing) throw new ConfigError(`MILEPOST_JWKS_URL needs ${missing}: the provider signs tokens for others too.`)
  return { jwksUrl }
}

function oidcOf(text: (name: keyof typeof settings) => string | undefined): Config['oidc'] {
  const values = {
    MILEPOST_OIDC_ISSUER: text('MILEPOST_OIDC_ISSUER'),
    MILEPOST_OIDC_CLIENT_ID: text('MILEPOST_OIDC_CLIENT_ID'),
    MILEPOST_OIDC_CLIENT_SECRET: text('MILEPOST_OIDC_CLIENT_SECRET'),
  }
  const {
    MILEPOST_OIDC_ISSUER: issuer,
    MILEPOST_OIDC_CLIENT_ID: clientId,
    MILEPOST_OIDC_CLIENT_SECRET: secret,
  } = values
  const missing = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [name] : []))
  if (missing.length === 3) return undefined
  if (issuer === undefined || clientId === undefined || secret === undefined) {
    throw new ConfigError(`Sign-in by an OpenID provider needs ${missing.join(' and ')} too.`)
  }
  if (!isSafeUrl(issuer)) throw new ConfigError(`MILEPOST_OIDC_ISSUER is "${issuer}". Give it an https URL.`)
  if (text('MILEPOST_PUBLIC_URL') === undefined) {
    throw new ConfigError(
      'Sign-in by an OpenID provider needs MILEPOST_PUBLIC_URL, which the provider sends people back to.',
    )
  }
  return { issuer, clientId, clientSecret: secret }
}

/** Splits the public address of the server into its origin and path. */
function address(publicUrl = '', basePath: string | undefined): Pick<Config, 'publicOrigin' | 'basePath'> {
  const path = basePath === undefined ? undefined : checkPath(basePath)
  if (publicUrl === '') return { publicOrigin: undefined, basePath: path ?? '' }
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined
  const isPlain = url && url.origin + url.pathname === url.href && /^https?:$/.test(url.protocol)
  if (!isPlain) {
    throw new ConfigError(`MILEPOST_PUBLIC_URL is "${publicUrl}". Give it an address such as https://example.com/mp.`)
  }
  const ownPath = url.pathname === '/' ? '' : checkPath(url.pathname, 'MILEPOST_PUBLIC_URL')
  if (path !== undefined && ownPath !== '' && path !== ownPath) {
    throw new ConfigError(
      `MILEPOST_PUBLIC_URL is under ${ownPath}, MILEPOST_BASE_PATH is ${path}. Leave out the second.`,
    )
  }
  return { publicOrigin: url.origin, basePath: path ?? ownPath }
}

/** A path without the slash at its end; empty for the root. */
function checkPath(text: string, name = 'MILEPOST_BASE_PATH'): string {
  const path = withoutSlash(text)
  // A proxy may strip this path, so no route may begin with it.
  if (path === '' || (/^(\/[\w.~-]+)+$/.test(path) && !/^\/(api|jobs|docs)(\/|$)|\/\.{1,2}(\/|$)/.test(path)))
    return path
  throw new ConfigError(
    `${name} has the path "${text}". Give it one such as /mp, that does not begin with /api, /jobs or /docs.`,
  )
}

function checkRange(text: string, name: string): string {
  if (parseRange(text)) return text
  throw new ConfigError(`${name} has "${text}". Give it addresses such as 10.0.0.7, or ranges such as 10.0.0.0/8.`)
}

/** The message has no URL, because it may contain a secret. */
function checkWebhookUrl(text: string, index: number): string {
  if (webhookUrlSchema.safeParse(text).success) return text
  throw new ConfigError(
    `URL ${index + 1} of MILEPOST_WEBHOOK_URLS is not one. Give it an https URL without user name, password and fragment.`,
  )
}

function checkOrigins(origins: string[]): string[] {
  if (origins.length === 1 && origins[0] === '*') return origins
  for (const origin of origins) {
    if (origin.includes('*')) {
      throw new ConfigError(
        `MILEPOST_ORIGINS has "${origin}". * alone stands for all origins; otherwise list each origin.`,
      )
    }
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue
    throw new ConfigError(`MILEPOST_ORIGINS has "${origin}". Give it origins such as https://example.com.`)
  }
  return origins
}
