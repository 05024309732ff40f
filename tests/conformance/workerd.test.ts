import { describeRuntime } from './runtime.ts'
import { Wrangler } from './workers/wrangler.ts'

describeRuntime(
  'workerd',
  async (variables) => {
    const wrangler = await Wrangler.start('wrangler.jsonc', { variables })
    return {
      url: `${wrangler.url}/`,
      // Nobody starts a Worker, and it prints to nobody.
      signInLink: '',
      get output() {
        return wrangler.output
      },
      residentBytes: () => wrangler.residentBytes(),
      stop: () => wrangler.stop(),
    }
  },
  // The workerd of wrangler 4.86 (1.20260426) dies now and then, without a word, when hundreds of connections are reset at once.
  { hasServices: false, knowsOwnersOnly: true, connectionsAtOnce: 25 },
)
