/**
 * Bytes that are digested at once. Web Crypto, the one SHA-256 of every runtime, digests whole buffers only. So longer content is
 * digested block by block, and its digest is that of the blocks' digests: memory stays at one block. Such digests can be compared with
 * each other; they equal those of `sha256sum` only up to one block.
 */
export const DIGEST_BLOCK = 1024 * 1024

/** The SHA-256 of content that arrives in chunks. */
export class Digest {
  /** The bytes of the next block so far. */
  #chunks: Uint8Array[] = []
  #length = 0
  readonly #blocks: Uint8Array[] = []

  async update(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#length === DIGEST_BLOCK) await this.#endBlock()
      const part = chunk.subarray(at, at + DIGEST_BLOCK - this.#length)
      this.#chunks.push(part)
      this.#length += part.byteLength
      at += part.byteLength
    }
  }

  /** The digest in hex, prefixed by how it was made: content that happens to be a list of digests has another. */
  async finish(): Promise<string> {
    if (this.#blocks.length === 0) return `sha256:${toHex(await sha256(this.#chunks))}`
    await this.#endBlock()
    return `sha256-blocks:${toHex(await sha256(this.#blocks))}`
  }

  async #endBlock(): Promise<void> {
    this.#blocks.push(await sha256(this.#chunks))
    this.#chunks = []
    this.#length = 0
  }
}

/** The digest of a stream, read to its end. */
export async function digestOfStream(stream: ReadableStream<Uint8Array>): Promise<string> {
  const digest = new Digest()
  for await (const chunk of stream) await digest.update(chunk)
  return digest.finish()
}

async function sha256(chunks: readonly Uint8Array[]): Promise<Uint8Array> {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
