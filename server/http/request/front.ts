import type { Peer } from '../../auth/authenticate.ts'
import { type AddressRange, isWithin, parseAddress, parseRange } from '../../support/ip-address.ts'

/** Options of a {@link Front}. */
export interface FrontOptions {
  /** Public origin of the server: `https://example.com`. Links begin with it, whatever requests say. */
  publicOrigin?: string | undefined
  /** Addresses of proxies whose forwarding headers are trusted: `10.0.0.7`, `10.0.0.0/8`. None by default. */
  trustedProxies?: readonly string[] | undefined
  /** Trusted values of `Host` besides those of this machine; `*` where the platform refuses others. */
  hosts?: readonly string[] | undefined
  /** The peer address of the connection. Only the runtime knows it. */
  addressOf?: ((request: Request, env: unknown) => string | undefined) | undefined
}

/** A request as the client sent it, before proxies. */
interface Original {
  address: string | undefined
  /** Omitted if no trusted proxy reports it. */
  protocol?: string | undefined
  host?: string | undefined
}

/**
 * Finds the client's address, protocol and requested host behind proxies.
 *
 * Anyone can send any `Host` and `X-Forwarded-…`, and links built from them would lead anywhere. So the headers are trusted only from a
 * trusted proxy, and `Host` if it names this machine (`localhost`, `127.0.0.1`) or one of `hosts`.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #trusted: AddressRange[]

  /** @throws TypeError for a trusted proxy that is not an address or range */
  constructor(options: FrontOptions) {
    this.#options = options
    this.#trusted = (options.trustedProxies ?? []).map((text) => {
      const range = parseRange(text)
      if (!range) throw new TypeError(`"${text}" is not an IP address, nor a range of them such as 10.0.0.0/8`)
      return range
    })
  }

  /** Who sent the request here. */
  peerOf(request: Request, env?: unknown): Peer {
    const address = this.#options.addressOf?.(request, env)
    return { address, isTrustedProxy: this.#isTrusted(address) }
  }

  /** The client's address: the nearest hop that is not a trusted proxy. Earlier hops may be forged. */
  addressOf(request: Request, env?: unknown): string | undefined {
    return this.#original(request, env).address
  }

  /** The origin that the client requested; `undefined` if no trusted source reports it. */
  originOf(request: Request, env?: unknown): string | undefined {
    const { publicOrigin, hosts = [] } = this.#options
    if (publicOrigin !== undefined) return publicOrigin
    const { protocol, host } = this.#original(request, env)
    // Runtimes build `request.url` from `Host`, which may be forged.
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined
    if (host !== undefined) return `${protocol ?? url?.protocol.slice(0, -1) ?? 'http'}://${host}`
    if (!url) return undefined
    return isLocalHost(url.hostname) || hosts.includes('*') || hosts.includes(bare(url.hostname))
      ? url.origin
      : undefined
  }

  /** Whether the client connected over TLS, as far as is known. */
  isSecure(request: Request, env?: unknown): boolean {
    const { publicOrigin } = this.#options
    if (publicOrigin !== undefined) return publicOrigin.startsWith('https:')
    const { protocol } = this.#original(request, env)
    return protocol === undefined ? request.url.startsWith('https:') : protocol === 'https'
  }

  /** Whether a browser sent the request from one of our pages: requests from other sites carry our cookie too. */
  isFromOurPages(request: Request, env?: unknown): boolean {
    const { headers, url } = request
    const site = headers.get('sec-fetch-site')
    if (site !== null) return site === 'same-origin' || site === 'none'
    const origin = headers.get('origin')
    if (origin === null || !URL.canParse(origin)) return false
    if (this.#options.publicOrigin !== undefined) return origin === this.#options.publicOrigin
    // Compares hosts only, because a proxy may terminate TLS. An untrusted `Host` is good enough: a page of another site can't change
    // the one that its browser sends.
    const asked = this.#original(request, env).host ?? headers.get('host')
    return new URL(origin).host === (asked ?? (URL.canParse(url) ? new URL(url).host : undefined))
  }

  #original(request: Request, env: unknown): Original {
    const { address: peer, isTrustedProxy } = this.peerOf(request, env)
    if (!isTrustedProxy) return { address: peer }
    const hops = hopsOf(request.headers)
    let back = 0
    while (back < hops.length - 1 && this.#isTrusted(hops.at(-1 - back)?.address)) back += 1
    const { address = peer, protocol, host } = hops.at(-1 - back) ?? {}
    return { address, protocol, host: host ?? hostIn(request.headers.get('host')) }
  }

  #isTrusted(address: string | undefined): boolean {
    if (this.#trusted.length === 0 || address === undefined) return false
    const bytes = parseAddress(address)
    return bytes !== undefined && this.#trusted.some((range) => isWithin(bytes, range))
  }
}

/** The request as each proxy reports to have received it, the nearest proxy last. */
function hopsOf(headers: Headers): Partial<Original>[] {
  const forwardedFor = headers.get('x-forwarded-for')
  // A proxy that sets one kind of header forwards a forged one of the other kind. Most set `X-Forwarded-For`.
  if (forwardedFor === null) return forwardedHops(headers.get('forwarded'))
  const addresses = listOf(forwardedFor)
  const protocols = listOf(headers.get('x-forwarded-proto'))
  const hosts = listOf(headers.get('x-forwarded-host'))
  // Most proxies append to the list of addresses and replace the other headers.
  const beside = (list: string[], place: number) => list.at(place - addresses.length) ?? list[0]
  return addresses.map((address, place) =>
    hop({ address, protocol: beside(protocols, place), host: beside(hosts, place) }),
  )
}

/** `Forwarded` (RFC 7239): `for=192.0.2.1;proto=https;host=example.com, for="[2001:db8::1]:4711"`. */
function forwardedHops(header: string | null): Partial<Original>[] {
  return listOf(header).map((element) => {
    const pairs = element.split(';').map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')] as const
    })
    const { for: address, proto: protocol, host } = Object.fromEntries(pairs)
    return hop({ address, protocol, host })
  })
}

const listOf = (header: string | null) => (header === null ? [] : header.split(',').map((part) => part.trim()))

/** The valid parts of a proxy's report. */
function hop({ address, protocol, host }: Partial<Original>): Partial<Original> {
  const bareAddress = address === undefined ? '' : bare(address.replace(/(^[^:]+|\]):\d+$/, '$1'))
  const scheme = protocol?.toLowerCase()
  return {
    address: parseAddress(bareAddress) ? bareAddress : undefined,
    protocol: scheme === 'https' || scheme === 'http' ? scheme : undefined,
    host: hostIn(host),
  }
}

/** A host with a port, if any, in lower case; `undefined` for text that makes no URL. */
function hostIn(text: string | null | undefined): string | undefined {
  const host = text?.toLowerCase() ?? ''
  return /^([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?$/.test(host) && URL.canParse(`http://${host}`) ? host : undefined
}

/** A host name without the brackets of IPv6. */
const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1')

function isLocalHost(hostname: string): boolean {
  const address = parseAddress(bare(hostname))
  return hostname === 'localhost' || hostname === '[::1]' || (address?.length === 4 && address[0] === 127)
}
