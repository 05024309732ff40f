/** A short digest of a request's body, to tell a repeated request from another: the same JSON, the same digest. */
export async function digestOf(body: unknown): Promise<string> {
  return (await textDigest(JSON.stringify(body))).slice(0, 32)
}

/** The SHA-256 digest of a text: 64 characters of `[0-9a-f]`. */
export async function textDigest(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
