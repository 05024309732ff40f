import { decodeBase64Url, encodeBase64Url } from 'hono/utils/encode'
import type { Random } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'

/** Length of an AES-GCM nonce (NIST SP 800-38D): bytes. */
const NONCE = 12
/** Cursors are padded to a multiple of this many bytes, because the length of a number reveals its magnitude. */
const BLOCK = 32

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * Encrypts list cursors for clients, each bound to a principal and the owner whose jobs it lists.
 *
 * Engines number jobs of all owners in one order, so a plain cursor would reveal how many jobs others have created.
 */
export class ListCursors {
  readonly #secrets: readonly string[]
  /** Keys by secret. Not promises: on Workers a promise ends with its request, and another request would await it for ever. */
  readonly #keys = new Map<string, CryptoKey>()
  readonly #random: Random

  /** @param secrets the first encrypts, all decrypt */
  constructor(secrets: string | readonly string[], random: Random) {
    this.#secrets = [secrets].flat()
    this.#random = random
  }

  /** @param cursor from an engine, without trailing spaces */
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

  /** Returns the engine's cursor. @throws ProblemError 422 if it was not sealed for this principal and owner */
  async open(cursor: string, sub: string, owner: string | undefined): Promise<string> {
    const bytes = bytesOf(cursor)
    const terms = termsOf(bytes.subarray(0, NONCE), sub, owner)
    for (const secret of this.#secrets) {
      const key = await this.#keyOf(secret)
      try {
        return decoder.decode(await crypto.subtle.decrypt(terms, key, bytes.subarray(NONCE))).trimEnd()
      } catch {
        // It may have been sealed with another secret.
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

/** Decodes base64url. Invalid text gives bytes that do not decrypt. */
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
