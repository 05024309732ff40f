import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { freePort } from '../../support/free-port.ts'
import { IdentityProvider } from '../../support/identity-provider.ts'
import { Visitor } from '../../support/visitor.ts'

const AUDIENCE = 'https://progress.example.com'

/** A server of a runtime that asks the provider. */
interface Asking {
  readonly output: string
  stop(): Promise<void>
}

/**
 * Sign-in by a real OpenID provider, and its access tokens, on a runtime.
 *
 * @param start starts a server on a port, with the settings of a provider besides its own
 */
export function describeIdentityProvider(
  runtime: string,
  start: (port: number, settings: Record<string, string>) => Promise<Asking>,
): void {
  describe(`an identity provider, on ${runtime}`, () => {
    const port = freePort()
    const origin = `http://127.0.0.1:${port}`
    const provider = new IdentityProvider()
    let server: Asking

    beforeAll(async () => {
      await provider.start('a:ES256', `${origin}/sign-in/callback`)
      server = await start(port, {
        MILEPOST_PUBLIC_URL: origin,
        MILEPOST_OIDC_ISSUER: provider.url,
        MILEPOST_OIDC_CLIENT_ID: 'dashboard',
        MILEPOST_OIDC_CLIENT_SECRET: 'dashboard-secret',
        MILEPOST_JWKS_URL: `${provider.url}/jwks`,
        MILEPOST_ISSUER: provider.url,
        MILEPOST_AUDIENCE: AUDIENCE,
      })
    }, 60_000)

    afterAll(async () => {
      await server?.stop()
      await provider.stop()
    })

    test('a person signs in by the provider, and lands on the page that they asked for', async () => {
      const ada = new Visitor(origin)
      const page = await ada.open(`${origin}/jobs/export-7`)
      const link = /href="(sign-in\/provider[^"]*)"/.exec(await page.text())?.[1] ?? ''
      expect([page.status, link]).toEqual([401, 'sign-in/provider?job=export-7'])
      const landed = await ada.signIn('ada', link)
      expect([landed.status, ada.visited.at(-1)]).toEqual([200, `${origin}/jobs/export-7`])
      const sessions = await ada.open(`${origin}/api/sessions`)
      expect(await sessions.json()).toMatchObject({ sessions: [{ sub: 'ada', current: true }] })
    })

    test('a callback that another browser got signs nobody in', async () => {
      const ada = new Visitor(origin)
      const back = await ada.signIn('ada', 'sign-in/provider', ({ pathname }) => pathname === '/sign-in/callback')
      const callback = back.headers.get('location') ?? ''
      expect((await new Visitor(origin).open(callback)).status).toBe(401)
      expect((await ada.open(callback)).status).toBe(200)
    })

    test('a server accepts what its provider signs for it, from many requests at once', async () => {
      const statusOf = async (token: string) =>
        (await fetch(`${origin}/api/jobs`, { headers: { authorization: `Bearer ${token}` } })).status
      const tokens = await Promise.all(Array.from({ length: 10 }, () => provider.token(AUDIENCE)))
      expect(await Promise.all(tokens.map(statusOf))).toEqual(Array(10).fill(200))
      expect(await statusOf(await provider.token('https://other.example.com'))).toBe(401)
      // What the provider signs with keys that it made since is accepted at once, too.
      await provider.stop()
      await provider.start('b:EdDSA', `${origin}/sign-in/callback`)
      const renewed = await Promise.all(Array.from({ length: 10 }, () => provider.token(AUDIENCE)))
      expect(await Promise.all(renewed.map(statusOf))).toEqual(Array(10).fill(200))
      expect(server.output).not.toContain('rror')
    })
  })
}
