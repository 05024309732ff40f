import { type AddressRange, isWithin, parseAddress, parseRange } from '../support/ip-address.ts'

export interface FrontOptions {
  /** Where people reach the server: `https://example.com`. Links to there begin with it, whatever requests say. */
  publicOrigin?: string | undefined
  /** Addresses of proxies, `10.0.0.7` or `10.0.0.0/8`, whose word is taken for who a client is and what it asked for. None by default. */
  trustedProxies?: readonly string[] | undefined
  /** Host names, beside those of this machine itself, that the server is known by; `*` where the platform lets no other pass. */
  hosts?: readonly string[] | undefined
  /** The address of whoever is at the other end of the connection. Only the runtime knows. */
  addressOf?: ((request: Request, env: unknown) => string | undefined) | undefined
}

/** A request as the client made it, before proxies. */
interface Original {
  address: string | undefined
  /** Left out when nobody who is trusted says so. */
  protocol?: string | undefined
  host?: string | undefined
}

/**
 * What is between the clients and this server.
 *
 * Anyone can write any `Host` and `X-Forwarded-…` into a request, and a link that is made of them leads wherever they like. So what a
 * request says of its own address is believed only of a trusted proxy, or where it names this machine (`localhost`, `127.0.0.1`) or a
 * host that was set.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #trusted: AddressRange[]

  /** @throws TypeError for a trusted proxy that is no address */
  constructor(options: FrontOptions) {
    this.#options = options
    this.#trusted = (options.trustedProxies ?? []).map((text) => {
      const range = parseRange(text)
      if (!range) throw new TypeError(`"${text}" is not an IP address, nor a range of them such as 10.0.0.0/8`)
      return range
    })
  }

  /** The address of the client: the last on the way here that is not a trusted proxy's. What a client says of itself is not believed. */
  addressOf(request: Request, env?: unknown): string | undefined {
    return this.#original(request, env).address
  }

  /** The origin that the client asked, where that is known. */
  originOf(request: Request, env?: unknown): string | undefined {
    const { publicOrigin, hosts = [] } = this.#options
    if (publicOrigin !== undefined) return publicOrigin
    const { protocol, host } = this.#original(request, env)
    // Runtimes make it of the `Host`, which can be anything.
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined
    if (host !== undefined) return `${protocol ?? url?.protocol.slice(0, -1) ?? 'http'}://${host}`
    if (!url) return undefined
    return isOfThisMachine(url.hostname) || hosts.includes('*') || hosts.includes(bare(url.hostname))
      ? url.origin
      : undefined
  }

  /** Whether the client came over TLS, by what is known. */
  isSecure(request: Request, env?: unknown): boolean {
    const { publicOrigin } = this.#options
    if (publicOrigin !== undefined) return publicOrigin.startsWith('https:')
    const { protocol } = this.#original(request, env)
    return protocol === undefined ? request.url.startsWith('https:') : protocol === 'https'
  }

  /**
   * Whether a browser sent a request from a page of ours: a form or a script of another site sends our cookie along.
   */
  isFromOurPages(request: Request, env?: unknown): boolean {
    const { headers, url } = request
    const site = headers.get('sec-fetch-site')
    if (site !== null) return site === 'same-origin' || site === 'none'
    const origin = headers.get('origin')
    if (origin === null || !URL.canParse(origin)) return false
    if (this.#options.publicOrigin !== undefined) return origin === this.#options.publicOrigin
    // The host alone: a proxy in front may have taken off the TLS. One that is not known is compared too: a page of another site
    // is at another host, and can't change the `Host` that its browser sends.
    const asked = this.#original(request, env).host ?? headers.get('host')
    return new URL(origin).host === (asked ?? (URL.canParse(url) ? new URL(url).host : undefined))
  }

  #original(request: Request, env: unknown): Original {
    const peer = this.#options.addressOf?.(request, env)
    if (!this.#isTrusted(peer)) return { address: peer }
    const hops = hopsOf(request.headers)
    let back = 0
    while (back < hops.length - 1 && this.#isTrusted(hops.at(-1 - back)?.address)) back += 1
    const { address = peer, protocol, host } = hops.at(-1 - back) ?? {}
    return { address, protocol, host: host ?? request.headers.get('host') ?? undefined }
  }

  #isTrusted(address: string | undefined): boolean {
    if (this.#trusted.length === 0 || address === undefined) return false
    const bytes = parseAddress(address)
    return bytes !== undefined && this.#trusted.some((range) => isWithin(bytes, range))
  }
}

/** What the proxies on the way say of the request as each got it, the nearest last. */
function hopsOf(headers: Headers): Partial<Original>[] {
  const forwardedFor = headers.get('x-forwarded-for')
  // A proxy that sets one kind of header passes on what a client has made up of the other. The usual kind is the one that is set.
  if (forwardedFor === null) return forwardedHops(headers.get('forwarded'))
  const addresses = listOf(forwardedFor)
  const protocols = listOf(headers.get('x-forwarded-proto'))
  const hosts = listOf(headers.get('x-forwarded-host'))
  // Most proxies add to the list of addresses, and set the others anew.
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

/** Of what a proxy says, what makes sense. */
function hop({ address, protocol, host }: Partial<Original>): Partial<Original> {
  const bareAddress = address === undefined ? '' : bare(address.replace(/(^[^:]+|\]):\d+$/, '$1'))
  const scheme = protocol?.toLowerCase()
  const name = host?.toLowerCase() ?? ''
  return {
    address: parseAddress(bareAddress) ? bareAddress : undefined,
    protocol: scheme === 'https' || scheme === 'http' ? scheme : undefined,
    host: /^([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?$/.test(name) ? name : undefined,
  }
}

/** A host name without the brackets of IPv6. */
const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1')

function isOfThisMachine(hostname: string): boolean {
  const address = parseAddress(bare(hostname))
  return hostname === 'localhost' || hostname === '[::1]' || (address?.length === 4 && address[0] === 127)
}
