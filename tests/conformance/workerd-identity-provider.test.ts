import { SECRET } from '../support/tokens.ts'
import { describeIdentityProvider } from './runtime-identity-provider.ts'
import { Wrangler } from './workers/wrangler.ts'

describeIdentityProvider('workerd', (port, settings) =>
  Wrangler.start('wrangler.jsonc', { port, variables: { MILEPOST_SECRET: SECRET, ...settings } }),
)
