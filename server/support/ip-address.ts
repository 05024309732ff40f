/** Parses an IP address to 4 or 16 bytes; an IPv4-mapped address (`::ffff:192.0.2.1`) to 4. `undefined` for other text. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Uint8Array | undefined {
  // Some read a number with a leading zero as octal, others as decimal.
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined
  const parts = text.split('.').map(Number)
  return parts.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined
}

function parseIpv6(text: string): Uint8Array | undefined {
  // A zone (`fe80::1%eth0`) names a local interface and is no part of the address.
  const address = `http://[${text.replace(/%.*$/, '')}]/`
  if (!URL.canParse(address)) return undefined
  // The URL parser normalizes any form to the shortest one, in hexadecimal.
  const [head = '', tail] = new URL(address).hostname.slice(1, -1).split('::')
  const words = (part: string) => part.split(':').filter((word) => word !== '')
  const [first, last] = [words(head), words(tail ?? '')]
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => '0'), ...last]
  const bytes = Uint8Array.from(all.map((word) => Number.parseInt(word, 16)).flatMap((word) => [word >> 8, word & 255]))
  const isIpv4 = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  return isIpv4 ? bytes.subarray(12) : bytes
}

/** Addresses with a common prefix: `10.0.0.0/8`, or `::1` alone. */
export interface AddressRange {
  bytes: Uint8Array
  bits: number
}

/** Parses an address or a range; `undefined` for other text. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const bytes = parseAddress(address)
  if (!bytes || rest.length > 0) return undefined
  const bits = length === undefined ? bytes.length * 8 : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined
}

/** Whether an address is in a range. */
export function isWithin(address: Uint8Array, { bytes, bits }: AddressRange): boolean {
  if (address.length !== bytes.length) return false
  return bytes.every((byte, place) => {
    const shared = Math.min(8, Math.max(0, bits - place * 8))
    const mask = (0xff << (8 - shared)) & 0xff
    return (byte & mask) === ((address[place] ?? 0) & mask)
  })
}
