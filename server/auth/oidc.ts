import type * as OAuth from 'oauth4webapi'
import { isTenant } from '../../shared/document/tenant.ts'
import type { Clock } from '../../shared/time/clock.ts'
import { isSafeUrl } from '../support/safe-url.ts'
import { flawOfIdentity, type Principal, type Scope } from './access.ts'
import { boundedText } from './bounded-text.ts'
import { type Claims, DEFAULT_TENANT_CLAIM, isVouchedFor, nameOf, scopesOf, UNVERIFIED } from './claims.ts'

/** An OpenID provider that signs people in to the dashboard. */
export interface OidcOptions {
  /** Its issuer identifier. HTTPS, except on this machine. */
  issuer: string
  clientId: string
  clientSecret: string
  /** The claim that names the principal: `sub` by default. */
  subClaim?: string | undefined
  /** The claim that names the principal's tenant: `tenant` by default. */
  tenantClaim?: string | undefined
  /**
   * The claim that has the scopes: people whose ID token lacks it have none. Default: the first that exists of `scope`, `scp` and
   * `permissions`; where it names none of ours, people have `jobs:read` and `jobs:write`.
   */
  scopeClaim?: string | undefined
}

/** What the browser keeps while a person is at the provider. Signed, so that nobody else can set it. */
export interface SignInAttempt {
  state: string
  nonce: string
  verifier: string
  /** The job whose page comes next. */
  job?: string | undefined
}

type RequestOptions = Pick<
  OAuth.DiscoveryRequestOptions & OAuth.TokenEndpointRequestOptions,
  'signal' | 'headers' | typeof OAuth.customFetch
>

/** Time-out of each request to the provider: milliseconds. */
const REQUEST_MS = 10_000
/** How long the provider's metadata is cached: milliseconds. */
const METADATA_MS = 3_600_000
/** Scopes of people whom the provider gives none. */
const PERSON: readonly Scope[] = ['jobs:read', 'jobs:write']

/**
 * OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636), by `oauth4webapi`, which is loaded on first
 * use. All failures throw; their messages are for the operator.
 */
export class Oidc {
  readonly #options: OidcOptions
  readonly #clock: Clock
  #metadata: { server: OAuth.AuthorizationServer; at: number } | undefined

  /** @throws TypeError for an issuer without HTTPS */
  constructor(options: OidcOptions, clock: Clock) {
    if (!isSafeUrl(options.issuer))
      throw new TypeError(`An OpenID provider needs an https URL, not "${options.issuer}"`)
    this.#options = options
    this.#clock = clock
  }

  /** The host of the provider, for people. */
  get host(): string {
    return new URL(this.#options.issuer).host
  }

  /**
   * Begins a sign-in.
   *
   * @param traceparent header of the requests to the provider
   * @returns where to send the browser, and what it has to keep
   */
  async begin(
    redirectUri: string,
    job: string | undefined,
    traceparent?: string,
  ): Promise<{ url: string; attempt: SignInAttempt }> {
    const oauth = await import('oauth4webapi')
    const server = await this.#server(oauth, traceparent)
    if (server.authorization_endpoint === undefined || !isSafeUrl(server.authorization_endpoint))
      throw new Error('the provider has no authorization endpoint with HTTPS')
    const attempt: SignInAttempt = {
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      verifier: oauth.generateRandomCodeVerifier(),
      job,
    }
    const url = new URL(server.authorization_endpoint)
    const { subClaim = 'sub', tenantClaim = DEFAULT_TENANT_CLAIM } = this.#options
    const isDefault = subClaim === 'sub' && tenantClaim === DEFAULT_TENANT_CLAIM
    for (const [name, value] of Object.entries({
      client_id: this.#options.clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      // Other claims than the subject come with these scopes (OpenID Connect Core 1.0, 5.4).
      scope: isDefault ? 'openid' : 'openid profile email',
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
    }))
      url.searchParams.set(name, value)
    return { url: url.href, attempt }
  }

  /**
   * Ends a sign-in.
   *
   * @param callback the URL that the provider sent the browser to
   * @param traceparent header of the requests to the provider
   */
  async end(
    callback: URL,
    redirectUri: string,
    { state, nonce, verifier }: SignInAttempt,
    traceparent?: string,
  ): Promise<Principal> {
    const oauth = await import('oauth4webapi')
    const server = await this.#server(oauth, traceparent)
    const client: OAuth.Client = { client_id: this.#options.clientId }
    const answer = oauth.validateAuthResponse(server, client, callback, state)
    const claims = await this.#request(oauth, traceparent, async (options) => {
      const exchange = (authentication: OAuth.ClientAuth) =>
        oauth.authorizationCodeGrantRequest(server, client, authentication, answer, redirectUri, verifier, options)
      const [first, ...others] = this.#authentications(oauth, server)
      if (!first) throw new Error('the provider supports neither client_secret_basic nor client_secret_post')
      let response = await exchange(first)
      for (const other of others) {
        if (response.status !== 401) break
        await response.body?.cancel()
        response = await exchange(other)
      }
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      })
      return oauth.getValidatedIdTokenClaims(tokens) as Claims | undefined
    })
    const { subClaim, scopeClaim, tenantClaim = DEFAULT_TENANT_CLAIM } = this.#options
    if (claims && !isVouchedFor(claims, subClaim)) throw new Error(`MILEPOST_SUB_CLAIM: ${UNVERIFIED}`)
    const sub = claims && nameOf(claims, subClaim)
    if (sub === undefined) throw new Error(`the ID token has no usable claim ${subClaim ?? 'sub'}`)
    const scopes = scopesOf(claims ?? {}, scopeClaim)
    const tenant = claims?.[tenantClaim]
    const flaw = flawOfIdentity(sub, tenant)
    if (flaw !== undefined) throw new Error(`MILEPOST_TENANT_CLAIM: ${flaw}`)
    const principal: Principal = { sub, scopes: scopes.length > 0 || scopeClaim !== undefined ? scopes : PERSON }
    return isTenant(tenant) ? { ...principal, tenant } : principal
  }

  /**
   * The ways to send the client secret that the provider supports. It does not tell which of them the client was registered with, and
   * refuses the other with a 401 (RFC 6749, 5.2).
   */
  #authentications(oauth: typeof OAuth, server: OAuth.AuthorizationServer): OAuth.ClientAuth[] {
    const { clientSecret } = this.#options
    // The default of OpenID Connect Discovery 1.0, 3.
    const { token_endpoint_auth_methods_supported: supported = ['client_secret_basic'] } = server
    return [
      ...(supported.includes('client_secret_basic') ? [oauth.ClientSecretBasic(clientSecret)] : []),
      ...(supported.includes('client_secret_post') ? [oauth.ClientSecretPost(clientSecret)] : []),
    ]
  }

  async #server(oauth: typeof OAuth, traceparent: string | undefined): Promise<OAuth.AuthorizationServer> {
    const now = this.#clock.monotonic()
    if (this.#metadata && now - this.#metadata.at < METADATA_MS) return this.#metadata.server
    const issuer = new URL(this.#options.issuer)
    const server = await this.#request(oauth, traceparent, async (options) =>
      oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options)),
    )
    this.#metadata = { server, at: now }
    return server
  }

  async #request<T>(
    oauth: typeof OAuth,
    traceparent: string | undefined,
    work: (options: RequestOptions) => Promise<T>,
  ): Promise<T> {
    const abort = new AbortController()
    const timer = this.#clock.setTimeout(() => abort.abort(), REQUEST_MS)
    try {
      const isInsecure = this.#options.issuer.startsWith('http:')
      return await work({
        signal: abort.signal,
        ...(traceparent !== undefined && { headers: { traceparent } }),
        [oauth.customFetch]: fetchBounded,
        ...(isInsecure && { [oauth.allowInsecureRequests]: true }),
      })
    } catch (error) {
      if (abort.signal.aborted) throw new Error(`the provider has not answered for ${REQUEST_MS} ms`)
      throw error
    } finally {
      this.#clock.clearTimeout(timer)
    }
  }
}

/** Like `fetch`, but reads the answer, up to a limit: the library would read any. */
async function fetchBounded(
  url: string,
  { body, ...options }: OAuth.CustomFetchOptions<string, URLSearchParams | undefined>,
): Promise<Response> {
  const response = await fetch(url, { ...options, ...(body && { body }) })
  const text = await boundedText(response)
  const headers = new Headers(response.headers)
  // The text is decoded.
  headers.delete('content-encoding')
  return new Response(text === '' ? null : text, { status: response.status, headers })
}
