import { EngineOpenError } from '../../../jobs/engine.ts'
import { type Address, formatAddress, type RedisSetting } from '../connection/setting.ts'

/** An error of the client as a sentence for the operator. */
export function openSentence(address: Address, setting: RedisSetting, error: unknown): EngineOpenError {
  if (error instanceof EngineOpenError) return error
  const { code } = Object(error) as { code?: unknown }
  const text = `${code ?? ''} ${error instanceof Error ? error.message : error}`
  const at = formatAddress(address)
  const [, sentence] = SENTENCES.find(([pattern]) => pattern.test(text)) ?? []
  return new EngineOpenError(sentence?.(at, setting) ?? `${at} can't be used (${text.trim()}): see its log.`, {
    cause: error,
  })
}

const SENTENCES: [RegExp, (at: string, setting: RedisSetting) => string][] = [
  [/ECONNREFUSED/, (at) => `Nothing listens on ${at}: start Redis there, or correct MILEPOST_ENGINE.`],
  [/ENOTFOUND|EAI_AGAIN|getaddrinfo/, (at) => `The host of ${at} is not known: correct MILEPOST_ENGINE.`],
  [
    /WRONGPASS|called without any password/,
    (at) => `${at} refuses the user or the password of MILEPOST_ENGINE: correct them.`,
  ],
  [/NOAUTH/, (at) => `${at} needs a password: redis://:PASSWORD@…`],
  [
    /NOPERM/,
    (at, { username }) =>
      `${at} does not give the user ${username ?? 'default'} the rights that Milepost needs: ~mp:* &mp:* +@all -@admin +info.`,
  ],
  [/DB index is out of range/, (at, { database }) => `${at} has no database ${database}: correct MILEPOST_ENGINE.`],
  [/WRONGTYPE/, (at) => `${at} has keys of another program that begin with mp: name another database.`],
  [/CLUSTERDOWN/, (at) => `The cluster of ${at} is down: see "redis-cli --cluster check".`],
  [/LOADING/, (at) => `${at} is still loading its data: start again when it has.`],
  [/Unknown RESP type/i, (at) => `${at} is no Redis server: correct MILEPOST_ENGINE.`],
  [
    /ALTNAME_INVALID/,
    (at) =>
      `The certificate of ${at} is for another name: write the host into MILEPOST_ENGINE as the certificate has it, or issue one that has this host.`,
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/,
    (at) =>
      `The certificate of ${at} is of an unknown authority: set NODE_EXTRA_CA_CERTS to a file with the certificate of its CA.`,
  ],
  [/CERT_HAS_EXPIRED/, (at) => `The certificate of ${at} has expired: renew it.`],
  [
    /certificate_?required/i,
    (at) =>
      `${at} asks its clients for certificates, and Milepost has none: set tls-auth-clients no there, and a password.`,
  ],
  [
    /SSL|TLS|certificate/i,
    (at, { tls }) => `${at} can't be reached with${tls ? '' : 'out'} TLS: correct MILEPOST_ENGINE.`,
  ],
  [
    /does not answer|closed|ETIMEDOUT|timeout|ECONNRESET/i,
    (at, { tls }) =>
      `${at} does not answer as a Redis server${tls ? ' with TLS' : ''} within 3 seconds: see whether it runs, and correct MILEPOST_ENGINE.`,
  ],
]
