import { sign } from 'hono/jwt'

type KeyAlgorithm = RsaHashedKeyGenParams | EcKeyGenParams | { name: 'Ed25519' }

const RSA = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
/** The algorithms of providers that are accepted. */
export const algorithms: [alg: 'RS256' | 'RS384' | 'RS512' | 'ES256' | 'ES384' | 'EdDSA', algorithm: KeyAlgorithm][] = [
  ['RS256', { ...RSA, hash: 'SHA-256' }],
  ['RS384', { ...RSA, hash: 'SHA-384' }],
  ['RS512', { ...RSA, hash: 'SHA-512' }],
  ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
  ['ES384', { name: 'ECDSA', namedCurve: 'P-384' }],
  ['EdDSA', { name: 'Ed25519' }],
]

type Alg = (typeof algorithms)[number][0]

interface SigningKey {
  publicKey: JsonWebKey
  sign(claims: Record<string, unknown>): Promise<string>
}

/** A key pair of a provider, and tokens signed with it. */
export async function createKey(alg: Alg, kid?: string, weaker: { modulusLength?: number } = {}): Promise<SigningKey> {
  const algorithm = { ...(algorithms.find(([name]) => name === alg)?.[1] as KeyAlgorithm), ...weaker }
  const pair = (await crypto.subtle.generateKey(algorithm as EcKeyGenParams, true, ['sign', 'verify'])) as CryptoKeyPair
  const [own, shown] = await Promise.all([
    crypto.subtle.exportKey('jwk', pair.privateKey),
    crypto.subtle.exportKey('jwk', pair.publicKey),
  ])
  const name = kid === undefined ? {} : { kid }
  return {
    publicKey: { ...shown, ...name },
    sign: (claims) => sign(claims, { ...own, ...name, alg } as never, alg),
  }
}
