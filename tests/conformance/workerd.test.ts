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
  // Two pings: the first write after a reader has left still goes to wrangler's proxy. And the workerd of wrangler 4.86 (1.20260426) dies now
  // and then, without a word, when 250 streams are reset at once.
  { noticesWithinMs: 65_000, hasServices: false, knowsOwnersOnly: true, streamsAtOnce: 50 },
)
