/**
 * How many bytes `text` takes in UTF-8, counted without encoding it.
 *
 * Unpaired surrogates count three bytes, as the replacement character that encoders put in their place.
 */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) {
      bytes += 2
      at += 1
    } else bytes += 2
  }
  return bytes
}

/** Whether `text` fits in `limit` bytes of UTF-8. Short texts, the common case, are not scanned. */
export function fitsUtf8(text: string, limit: number): boolean {
  return text.length * 3 <= limit || (text.length <= limit && utf8Length(text) <= limit)
}
