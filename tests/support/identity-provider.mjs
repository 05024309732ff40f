/**
 * A real OpenID provider on this machine: `node identity-provider.mjs PORT KEYS`.
 *
 * KEYS is a comma-separated list of `kid:alg`, made anew at each start; the first signs. The client `backend` with the secret
 * `backend-secret` gets access tokens by its credentials. The client `dashboard` with `dashboard-secret` signs people in; a third argument
 * is its redirect URI. Everyone may sign in, with any name and password.
 */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import Provider from 'oidc-provider'

const [port = '0', named = 'a:ES256', redirectUri = 'http://localhost/'] = process.argv.slice(2)
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
  clients: [
    {
      client_id: 'backend',
      client_secret: 'backend-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    },
    {
      client_id: 'dashboard',
      client_secret: 'dashboard-secret',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: alg,
    },
  ],
  scopes: ['openid', 'jobs:read', 'jobs:write', 'jobs:admin', 'jobs:assign'],
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
