/**
 * Bytes that are digested at once. WebCrypto, the one SHA-256 that every runtime has, digests whole buffers only. So a larger content
 * is digested block by block, and its digest is that of its blocks' digests: memory stays at one block, whatever the size. Such a digest
 * is for comparing two contents here; `sha256sum` finds the same one only up to a block.
 */
export const DIGEST_BLOCK = 1024 * 1024

/** The SHA-256 of a content that comes in chunks. */
export class Digest {
  /** What the next block has so far. */
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

  /** The digest in hex, under the name of how it was made: a list of digests never passes for the content that has those bytes. */
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
