/** A browser as far as it keeps cookies, follows redirects and sends forms. */
export class Visitor {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()
  /** Every address that it was sent to. */
  readonly visited: string[] = []

  /** @param origin of the server that is visited */
  constructor(origin: string) {
    this.#origin = origin
  }

  cookie(name: string): string | undefined {
    return this.#cookies.get(name)
  }

  /** Requests a URL and follows redirects, unless they lead to `until`. */
  async open(url: string, init: RequestInit = {}, until?: (url: URL) => boolean): Promise<Response> {
    this.visited.push(url)
    const { host } = new URL(url)
    const cookie = [...this.#cookies].flatMap(([key, value]) =>
      key.startsWith(`${host} `) ? [`${key.split(' ')[1]}=${value}`] : [],
    )
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, cookie: cookie.join('; ') },
    })
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      if (value === '' || /max-age=0/i.test(set)) this.#cookies.delete(`${host} ${name}`)
      else this.#cookies.set(`${host} ${name}`, value)
    }
    const location = response.headers.get('location')
    if (location === null) return response
    const next = new URL(location, url)
    return until?.(next) ? response : this.open(next.href, {}, until)
  }

  /** Fills in the form of a page and sends it. */
  async submit(page: Response, fields: Record<string, string>, until?: (url: URL) => boolean): Promise<Response> {
    const html = await page.text()
    const action = /<form[^>]*action="([^"]+)"/.exec(html)?.[1] ?? ''
    const hidden = Object.fromEntries(
      [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [
        name,
        value,
      ]),
    )
    const body = new URLSearchParams({ ...hidden, ...fields })
    return this.open(new URL(action, this.visited.at(-1)).href, { method: 'POST', body }, until)
  }

  /** Signs in at the provider, up to the redirect back or the page after it. */
  async signIn(name: string, start = 'sign-in/provider', until?: (url: URL) => boolean): Promise<Response> {
    const login = await this.open(`${this.#origin}/${start}`)
    const consent = await this.submit(login, { login: name, password: 'any' })
    return this.submit(consent, {}, until)
  }
}
