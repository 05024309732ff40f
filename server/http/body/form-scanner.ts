/** What a form has too much of. */
export type FormExcess = 'parts' | 'headers'

/** Bytes of the headers of one part: a path has 512. */
export const PART_HEADER_BYTES = 8 * 1_024
/** Bytes of headers that the parts of a form may have on average: Deno reads four in a microsecond. */
const USUAL_HEADER_BYTES = 256

/** Bytes without a dash, after which the built-in search is faster than the loop. */
const WORTH_A_CALL = 16

const CR = 0x0d
const LF = 0x0a

/**
 * Counts the parts of a form and the bytes of their headers while it arrives. The parsers of the runtimes have no such limits, and hold
 * the event loop for as long as there are parts and headers.
 *
 * It counts no fewer than any parser: they differ in what they take for a boundary, so here it is one wherever it stands. The headers of a
 * part end at the first empty line after the line of the boundary.
 */
export class FormScanner {
  readonly #mostParts: number
  readonly #mostHeaderBytes: number
  /** What stands before each part: `--` and the boundary. */
  readonly #delimiter: Uint8Array
  /** For each length of a match, the longest shorter match that ends there too (Knuth, Morris, Pratt): no content makes the scan slow. */
  readonly #shorter: Uint8Array
  /** Bytes of the delimiter that the last bytes match. */
  #matched = 0
  #delimiters = 0
  #isInHeaders = false
  #partHeaderBytes = 0
  #headerBytes = 0
  /** How much of the headers' end is there: below 0 for the rest of the boundary's line, then of CR LF CR LF. */
  #end = 0

  /** @param boundary in ASCII, as the Content-Type has it */
  constructor(boundary: string, mostParts: number) {
    this.#mostParts = mostParts
    this.#mostHeaderBytes = Math.max(PART_HEADER_BYTES, mostParts * USUAL_HEADER_BYTES)
    this.#delimiter = new TextEncoder().encode(`--${boundary}`)
    this.#shorter = shorterMatches(this.#delimiter)
  }

  /** The parts so far. The last boundary ends the form, and begins no part. */
  get parts(): number {
    return Math.max(0, this.#delimiters - 1)
  }

  /** Takes the next bytes. Answers what there is too much of. */
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
        if (isInHeaders || others < WORTH_A_CALL) continue
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
      // A boundary among headers may be none to a parser: their count goes on.
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
