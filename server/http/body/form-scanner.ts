/** The limit that a form exceeds. */
export type FormExcess = 'parts' | 'headers'

/** Most header bytes of one part. A file's path has at most 512. */
export const PART_HEADER_BYTES = 8 * 1_024
/** Average header bytes that the parts of a form may have. Deno parses four per microsecond. */
const AVERAGE_HEADER_BYTES = 256

/** Bytes without a dash after which a built-in search is faster than the loop. */
const SEARCH_AFTER = 16

const CR = 0x0d
const LF = 0x0a

/**
 * Counts the parts of a form and the bytes of their headers while it arrives. The parsers of the runtimes have no such limits, and many parts
 * or headers block the event loop.
 *
 * It counts at least as much as any parser: they differ in what they accept as a boundary, so every occurrence counts. The headers of a part
 * end at the first empty line after the line of the boundary.
 */
export class FormScanner {
  readonly #mostParts: number
  readonly #mostHeaderBytes: number
  /** Starts each part: `--` and the boundary. */
  readonly #delimiter: Uint8Array
  /** The failure function of Knuth, Morris and Pratt, by length of a match. It keeps the scan linear for any content. */
  readonly #shorter: Uint8Array
  /** Length of the delimiter's prefix that the last bytes match. */
  #matched = 0
  #delimiters = 0
  #isInHeaders = false
  #partHeaderBytes = 0
  #headerBytes = 0
  /** Progress towards the headers' end: negative in the boundary's line, then the matched bytes of CR LF CR LF. */
  #end = 0

  /** @param boundary in ASCII, as the Content-Type has it */
  constructor(boundary: string, mostParts: number) {
    this.#mostParts = mostParts
    this.#mostHeaderBytes = Math.max(PART_HEADER_BYTES, mostParts * AVERAGE_HEADER_BYTES)
    this.#delimiter = new TextEncoder().encode(`--${boundary}`)
    this.#shorter = shorterMatches(this.#delimiter)
  }

  /** Parts so far. The last boundary ends the form and starts no part. */
  get parts(): number {
    return Math.max(0, this.#delimiters - 1)
  }

  /** Scans the next bytes. @returns the exceeded limit, if any */
  scan(chunk: Uint8Array): FormExcess | undefined {
    const delimiter = this.#delimiter
    const shorter = this.#shorter
    const first = delimiter[0] ?? 0
    let others = 0
    let matched = this.#matched
    let isInHeaders = this.#isInHeaders
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (isInHeaders) {
        const excess = this.#countHeader(byte)
        if (excess) return excess
        isInHeaders = this.#isInHeaders
      }
      if (matched === 0 && byte !== first) {
        others += 1
        if (isInHeaders || others < SEARCH_AFTER) continue
        const next = chunk.indexOf(first, at)
        if (next === -1) break
        at = next - 1
        continue
      }
      others = 0
      while (matched > 0 && byte !== delimiter[matched]) matched = shorter[matched] ?? 0
      if (byte === delimiter[matched]) matched += 1
      if (matched < delimiter.length) continue
      matched = 0
      this.#delimiters += 1
      if (this.parts > this.#mostParts) return 'parts'
      // A parser may accept no boundary within headers, so their count continues.
      if (!isInHeaders) this.#partHeaderBytes = 0
      isInHeaders = this.#isInHeaders = true
      this.#end = -2
    }
    this.#matched = matched
    return undefined
  }

  #countHeader(byte: number): FormExcess | undefined {
    this.#partHeaderBytes += 1
    this.#headerBytes += 1
    if (this.#partHeaderBytes > PART_HEADER_BYTES || this.#headerBytes > this.#mostHeaderBytes) return 'headers'
    const expected = this.#end % 2 === 0 ? CR : LF
    const start = this.#end < 0 ? -2 : 0
    if (byte === expected) this.#end += 1
    else this.#end = byte === CR ? start + 1 : start
    if (this.#end === 4) this.#isInHeaders = false
    return undefined
  }
}

function shorterMatches(pattern: Uint8Array): Uint8Array {
  const shorter = new Uint8Array(pattern.length + 1)
  let matched = 0
  for (let at = 1; at < pattern.length; at++) {
    while (matched > 0 && pattern[at] !== pattern[matched]) matched = shorter[matched] ?? 0
    if (pattern[at] === pattern[matched]) matched += 1
    shorter[at + 1] = matched
  }
  return shorter
}
