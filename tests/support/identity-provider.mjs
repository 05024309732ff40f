/**
 * A real OpenID provider on this machine: `node identity-provider.mjs PORT KEYS [REDIRECT_URIS [METHODS]]`.
 *
 * KEYS is a comma-separated list of `kid:alg`, made anew at each start; the first signs. METHODS are those by which clients may send their
 * secrets, and REDIRECT_URIS where people are sent back to, both separated by commas.
 *
 * The client `backend` with the secret `backend-secret` gets access tokens by its credentials, sent by the first method. The client
 * `dashboard` with `dashboard-secret`, sent by the last, signs people in. Everyone may sign in, with any name and password. A person's e-mail
 * address is `NAME@example.com`, which is verified; `NAME as OTHER` has entered that of somebody else. `NAME of ORG` has the claim `org`.
 */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import Provider from 'oidc-provider'

const [port = '0', named = 'a:ES256', redirectUris = 'http://localhost/', namedMethods] = process.argv.slice(2)
const methods = (namedMethods ?? 'client_secret_basic,client_secret_post').split(',')
const generate = promisify(generateKeyPair)

const kinds = {
  ES256: ['ec', { namedCurve: 'P-256' }],
  RS256: ['rsa', { modulusLength: 2048 }],
  EdDSA: ['ed25519', {}],
}

const keys = await Promise.all(
  named.split(',').map(async (name) => {
    const [kid, alg] = name.split(':')
    const { privateKey } = await generate(...kinds[alg])
    return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  }),
)
const [{ alg }] = keys
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  jwks: { keys },
  clientAuthMethods: methods,
  clients: [
    {
      client_id: 'backend',
      client_secret: 'backend-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: methods[0],
      id_token_signed_response_alg: alg,
    },
    {
      client_id: 'dashboard',
      client_secret: 'dashboard-secret',
      redirect_uris: redirectUris.split(','),
      token_endpoint_auth_method: methods.at(-1),
      id_token_signed_response_alg: alg,
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['org'] },
  // As most providers do, it puts the claims of the scopes into the ID token.
  conformIdTokenClaims: false,
  findAccount: (_context, name) => {
    const [, other] = name.split(' as ')
    const [, org] = name.split(' of ')
    const claims = { sub: name, email: `${other ?? name}@example.com`, email_verified: other === undefined, org }
    return { accountId: name, claims: () => claims }
  },
  scopes: ['openid', 'profile', 'email', 'jobs:read', 'jobs:write', 'jobs:admin', 'jobs:assign'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: 'jobs:read jobs:write',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg } },
      }),
    },
  },
})

provider.listen(Number(port), '127.0.0.1', () => console.log(`issues at ${issuer}`))
