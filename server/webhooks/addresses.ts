import { type AddressRange, isWithin, parseAddress, parseRange } from '../support/ip-address.ts'

const ranges = (...texts: string[]): AddressRange[] => texts.flatMap((text) => parseRange(text) ?? [])

/** IPv4 addresses that are not global (IANA IPv4 Special-Purpose Address Registry), and multicast. */
const notPublic4 = ranges(
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
)

/** Of IPv6 only this is global unicast (RFC 4291, 2.4) … */
const public6 = ranges('2000::/3')
/** … but for protocol assignments with Teredo, documentation, and 6to4, whose addresses lead to any IPv4 address. */
const notPublic6 = ranges('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20')

const isInAny = (address: Uint8Array, all: readonly AddressRange[]) => all.some((range) => isWithin(address, range))

/** Whether an address is on the public internet: not of this machine, not of a private network, and of no protocol's own range. */
export function isPublicAddress(address: Uint8Array): boolean {
  if (address.length === 4) return !isInAny(address, notPublic4)
  return isInAny(address, public6) && !isInAny(address, notPublic6)
}

/** The address that a URL names instead of a host. */
export function addressIn(url: URL): Uint8Array | undefined {
  return parseAddress(url.hostname.replace(/^\[|\]$/g, ''))
}

/** Names that lead to this machine everywhere (RFC 6761, 6.3). */
const isLocalName = ({ hostname }: URL) => /(^|\.)localhost\.?$/i.test(hostname)

/**
 * Why a job may not notify a URL, as far as the URL tells; `undefined` if it may. Where its name leads is checked when it is sent.
 *
 * @param networks private networks that are allowed
 */
export function flawOfDestination(url: URL, networks: readonly AddressRange[]): string | undefined {
  const address = addressIn(url)
  const isAllowed = address !== undefined && isInAny(address, networks)
  if (address && !isAllowed && !isPublicAddress(address)) return 'must not be in a private network'
  if (networks.length === 0 && isLocalName(url)) return 'must not be in a private network'
  const mayBeAllowed = isAllowed || (address === undefined && networks.length > 0)
  return url.protocol === 'https:' || mayBeAllowed ? undefined : 'must be an https URL'
}

/** Whether a job's webhook may be sent to an address: unencrypted only within an allowed network. */
export function isAllowedAddress(text: string, protocol: string, networks: readonly AddressRange[]): boolean {
  const address = parseAddress(text)
  if (!address) return false
  return isInAny(address, networks) || (protocol === 'https:' && isPublicAddress(address))
}
