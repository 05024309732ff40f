import { textDigest } from '../support/digest.ts'

/**
 * An HS256 secret as a JSON Web Key (RFC 7517, 4; RFC 7518, 6.4). As a text, a secret with the word `PUBLIC` or `PRIVATE` in it would be read
 * as PEM.
 */
export interface SecretKey {
  kty: 'oct'
  alg: 'HS256'
  k: string
  kid: string
}

/** Characters of a `kid`: few, so that it says nothing of use about the secret. */
const KID_LENGTH = 8

/** The key of a secret. Its `kid` is a digest: the same in every process, and no setting. */
export async function secretKeyOf(secret: string): Promise<SecretKey> {
  const kid = (await textDigest(`milepost kid\n${secret}`)).slice(0, KID_LENGTH)
  const bytes = Array.from(new TextEncoder().encode(secret), (byte) => String.fromCharCode(byte)).join('')
  const k = btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  return { kty: 'oct', alg: 'HS256', k, kid }
}
