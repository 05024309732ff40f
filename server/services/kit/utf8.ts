/** Bytes that are decoded at once: few, so that work on the text can yield in between. */
const SLICE = 16 * 1024

/**
 * Decodes a stream of UTF-8, piece by piece, without a byte order mark.
 *
 * @param onBytes called with the bytes of each piece, before it is yielded
 * @throws when it is not UTF-8
 */
export async function* readText(
  stream: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.byteLength; at += SLICE) {
      const slice = chunk.subarray(at, at + SLICE)
      onBytes(slice.byteLength)
      yield decode(decoder, slice)
    }
  }
  yield decode(decoder)
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): string {
  let text: string
  try {
    text = bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
  } catch {
    throw new Error('It is not text in UTF-8. Save it as UTF-8 and try again.')
  }
  if (text.includes('\0')) throw new Error('It is not text: it holds a NUL.')
  return text
}
