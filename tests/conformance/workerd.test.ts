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
  // Two pings: the first write after a reader has left still goes to wrangler's proxy.
  { noticesWithinMs: 65_000, hasServices: false },
)
