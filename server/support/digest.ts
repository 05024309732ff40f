/** A short digest of a request's JSON, to recognize a repeated request: the first 32 characters of {@link textDigest}. */
export async function digestOf(body: unknown): Promise<string> {
  return toHex((await sha256(JSON.stringify(body))).subarray(0, 16))
}

/** A {@link digestOf} that may answer at once. */
export type DigestOf = (body: unknown) => string | Promise<string>

/**
 * The fastest {@link digestOf} of a runtime. Web Crypto works in another thread: for a short text the way there and back costs ten times
 * as much as the digest.
 *
 * @param sha256 a synchronous SHA-256 of a text, in hexadecimal, if the runtime has one
 */
export function fastestDigest(sha256: ((text: string) => string) | undefined): DigestOf {
  return sha256 ? (body) => sha256(JSON.stringify(body)).slice(0, 32) : digestOf
}

/** Like {@link digestOf}, but ignores the order of keys, which has no meaning in JSON (RFC 8259, 4). */
export function unorderedDigestOf(body: unknown): Promise<string> {
  return digestOf(sorted(body))
}

/** Converts objects to sorted arrays of keys and values. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return { array: value.map(sorted) }
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, sorted(field)])
}

/** SHA-256 of a text: 64 characters of `[0-9a-f]`. */
export async function textDigest(text: string): Promise<string> {
  return toHex(await sha256(text))
}

const utf8 = new TextEncoder()

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text)))
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** From a table: each publish with a key needs it. */
function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += HEX[byte]
  return hex
}
