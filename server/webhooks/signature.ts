/** Signatures of Standard Webhooks 1.0: github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */

const utf8 = new TextEncoder()

const base64 = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

/** HMAC-SHA-256. */
async function hmac(key: BufferSource, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign(algorithm, imported, utf8.encode(text)))
}

/** The name whose secret signs what is sent to the URLs in the server's settings. No principal has it. */
export const SERVER_NAME = ''

/**
 * The keys of a principal's webhooks: derived, so that no store has them, and different for each principal, so that no receiver can forge what
 * is sent to another's.
 *
 * @param secrets of the server: those after the first are older ones
 * @param name full name of the principal that created the job, or {@link SERVER_NAME}
 */
const keysOf = (secrets: readonly string[], name: string) =>
  Promise.all(secrets.map((secret) => hmac(utf8.encode(secret), `milepost webhooks\n${name}`)))

/** The secret by which the receivers of a principal verify signatures: `whsec_…`. Parameters as for signatures. */
export async function webhookSecret(secrets: readonly string[], name: string): Promise<string> {
  const [key] = await keysOf(secrets, name)
  return `whsec_${base64(key ?? new Uint8Array())}`
}

interface Message {
  id: string
  /** Seconds since the Unix epoch. */
  sentAt: number
  body: string
}

/** The headers of a webhook: with a signature by each secret of the server, so that receivers accept it while a new one replaces an old one. */
export async function signedHeaders(
  secrets: readonly string[],
  name: string,
  { id, sentAt, body }: Message,
): Promise<Record<string, string>> {
  const signatures = (await keysOf(secrets, name)).map(async (key) => {
    return `v1,${base64(await hmac(key, `${id}.${sentAt}.${body}`))}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': `${sentAt}`,
    'webhook-signature': (await Promise.all(signatures)).join(' '),
  }
}
