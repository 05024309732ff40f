import { decodeBase64Url, encodeBase64Url } from 'hono/utils/encode'
import type { Random } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'

/** The nonce of AES-GCM (NIST SP 800-38D): bytes. */
const NONCE = 12
/** Cursors are filled up to a multiple of so many bytes: the length of a number tells how large it is. */
const BLOCK = 32

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The cursors of lists as clients see them: sealed, for one principal and the owner whose jobs it lists.
 *
 * What engines count by is the order of all jobs, so a plain cursor would tell how many jobs others have made.
 */
export class ListCursors {
  readonly #secrets: readonly string[]
  /** By their secrets. Not as promises: Workers end those of a request with it, and another that waits for one waits for good. */
  readonly #keys = new Map<string, CryptoKey>()
  readonly #random: Random

  /** @param secrets the first seals, all open */
  constructor(secrets: string | readonly string[], random: Random) {
    this.#secrets = [secrets].flat()
    this.#random = random
  }

  /** @param cursor as an engine gave it: no spaces at its end */
  async seal(cursor: string, sub: string, owner: string | undefined): Promise<string> {
    const key = await this.#keyOf(this.#secrets[0] ?? '')
    const nonce = new Uint8Array(this.#random.bytes(NONCE))
    const text = encoder.encode(cursor.padEnd(Math.ceil(cursor.length / BLOCK) * BLOCK))
    const sealed = await crypto.subtle.encrypt(termsOf(nonce, sub, owner), key, text)
    const bytes = new Uint8Array(NONCE + sealed.byteLength)
    bytes.set(nonce)
    bytes.set(new Uint8Array(sealed), NONCE)
    return encodeBase64Url(bytes.buffer).replace(/=+$/, '')
  }

  /** The engine's cursor. @throws ProblemError 422 for one that was not sealed for this principal and owner */
  async open(cursor: string, sub: string, owner: string | undefined): Promise<string> {
    const bytes = bytesOf(cursor)
    const terms = termsOf(bytes.subarray(0, NONCE), sub, owner)
    for (const secret of this.#secrets) {
      const key = await this.#keyOf(secret)
      try {
        return decoder.decode(await crypto.subtle.decrypt(terms, key, bytes.subarray(NONCE))).trimEnd()
      } catch {
        // Sealed with another secret, perhaps.
      }
    }
    const detail = 'is not the nextCursor of a page of this list. Leave it out to begin with the newest job'
    throw refuse(problems.invalid([{ field: 'cursor', detail }]))
  }

  async #keyOf(secret: string): Promise<CryptoKey> {
    const known = this.#keys.get(secret)
    if (known) return known
    const key = await keyOf(secret)
    this.#keys.set(secret, key)
    return key
  }
}

/** What base64url text stands for; of text that is none, nothing that opens. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(decodeBase64Url(text))
  } catch {
    return new Uint8Array(NONCE)
  }
}

function termsOf(iv: Uint8Array<ArrayBuffer>, sub: string, owner: string | undefined) {
  return { name: 'AES-GCM', iv, additionalData: encoder.encode(JSON.stringify([sub, owner ?? null])) }
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const hash = { name: 'HMAC', hash: 'SHA-256' }
  const hmac = await crypto.subtle.importKey('raw', encoder.encode(secret), hash, false, ['sign'])
  const bytes = await crypto.subtle.sign('HMAC', hmac, encoder.encode('list cursors'))
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
}
