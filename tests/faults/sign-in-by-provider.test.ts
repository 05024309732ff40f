import { afterAll, beforeAll, expect, test } from 'bun:test'
import { freePort } from '../support/free-port.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import { ServerProcess } from '../support/server-process.ts'

const port = freePort()
const origin = `http://127.0.0.1:${port}`
let provider: IdentityProvider
let server: ServerProcess

/** A browser as far as it keeps cookies, follows redirects and sends forms. */
class Visitor {
  readonly #cookies = new Map<string, string>()
  /** Every address that it was sent to. */
  readonly visited: string[] = []

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
  async signIn(name: string, start: string, until?: (url: URL) => boolean): Promise<Response> {
    const login = await this.open(`${origin}/${start}`)
    const consent = await this.submit(login, { login: name, password: 'any' })
    return this.submit(consent, {}, until)
  }
}

const isCallback = (url: URL) => url.href.startsWith(`${origin}/sign-in/callback`)

beforeAll(async () => {
  provider = new IdentityProvider()
  await provider.start('a:ES256', `${origin}/sign-in/callback`)
  server = await ServerProcess.start({
    PORT: `${port}`,
    MILEPOST_PUBLIC_URL: origin,
    MILEPOST_OIDC_ISSUER: provider.url,
    MILEPOST_OIDC_CLIENT_ID: 'dashboard',
    MILEPOST_OIDC_CLIENT_SECRET: 'dashboard-secret',
  })
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider.stop()
})

test('a person signs in by the provider, and lands on the page that they asked for', async () => {
  const ada = new Visitor()
  const page = await ada.open(`${origin}/jobs/export-7`)
  expect(page.status).toBe(401)
  const html = await page.text()
  const link = /href="(sign-in\/provider[^"]*)"/.exec(html)?.[1] ?? ''
  expect([link, html]).toEqual([
    'sign-in/provider?job=export-7',
    expect.stringContaining(`Sign in with ${new URL(provider.url).host}`),
  ])
  const landed = await ada.signIn('ada', link)
  expect([landed.status, ada.visited.at(-1)]).toEqual([200, `${origin}/jobs/export-7`])
  const jobs = await ada.open(`${origin}/api/sessions`)
  expect(await jobs.json()).toMatchObject({ sessions: [{ sub: 'ada', current: true }] })
  // What belongs to an attempt is gone with it.
  expect(ada.cookie(`127.0.0.1:${port} milepost_sign_in`)).toBeUndefined()
})

test('a callback that is not of this browser, was used, was changed or is another state signs nobody in', async () => {
  const ada = new Visitor()
  const back = await ada.signIn('ada', 'sign-in/provider', isCallback)
  const callback = new URL(back.headers.get('location') ?? '', provider.url)
  const statusOf = async (visitor: Visitor, url: string) => (await visitor.open(url)).status

  expect(await statusOf(new Visitor(), callback.href)).toBe(401)
  const mallory = new Visitor()
  await mallory.open(`${origin}/sign-in/provider`)
  expect(await statusOf(mallory, callback.href)).toBe(401)
  const eve = new Visitor()
  const eves = new URL(
    (await eve.signIn('eve', 'sign-in/provider', isCallback)).headers.get('location') ?? '',
    provider.url,
  )
  eves.searchParams.set('code', callback.searchParams.get('code') ?? '')
  expect(await statusOf(eve, eves.href)).toBe(401)
  expect(await statusOf(ada, `${callback.href}&iss=https://evil.example`)).toBe(401)
  // That attempt is over, and so is its cookie.
  expect(await statusOf(ada, callback.href)).toBe(401)
  expect(await statusOf(ada, `${origin}/`)).toBe(401)
})

test('a person who refuses, and a provider that is away, are told that it did not work; the log says why', async () => {
  const ada = new Visitor()
  await ada.open(`${origin}/sign-in/provider`)
  const refused = await ada.open(`${origin}/sign-in/callback?error=access_denied&state=x`)
  expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('That did not work.')])
  await provider.stop()
  await server.kill()
  await server.restart()
  const away = await ada.open(`${origin}/sign-in/provider`)
  expect([away.status, await away.text()]).toEqual([401, expect.stringContaining('That did not work.')])
  expect(server.output).toContain(`Sign-in by ${new URL(provider.url).host} failed:`)
  expect(server.output).not.toContain('dashboard-secret')
})
