import { describeRuntime } from './runtime/runtime.ts'
import { Workerd } from './workers/workerd.ts'

describeRuntime(
  'workerd',
  async (variables) => {
    const workerd = await Workerd.start('wrangler.jsonc', { variables })
    return {
      url: `${workerd.url}/`,
      // Nobody starts a Worker, and it prints to nobody.
      signInLink: '',
      get output() {
        return workerd.output
      },
      residentBytes: () => workerd.residentBytes(),
      stop: () => workerd.stop(),
    }
  },
  // The workerd of wrangler 4.86 (1.20260426) dies now and then, without a word, when hundreds of connections are reset at once.
  { hasServices: false, knowsOwnersOnly: true, connectionsAtOnce: 25, isCompressedByPlatform: true },
)
