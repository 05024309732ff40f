import { SECRET } from '../support/tokens.ts'
import { describeIdentityProvider } from './runtime/identity-provider.ts'
import { Workerd } from './workers/workerd.ts'

describeIdentityProvider('workerd', (port, settings) =>
  Workerd.start('wrangler.jsonc', { port, variables: { MILEPOST_SECRET: SECRET, ...settings } }),
)
