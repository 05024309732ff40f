/** A short digest of a request's JSON, to recognize a repeated request. */
export async function digestOf(body: unknown): Promise<string> {
  return (await textDigest(JSON.stringify(body))).slice(0, 32)
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
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
