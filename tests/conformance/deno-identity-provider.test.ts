import { onDeno } from '../support/on-deno.ts'
import { ServerProcess } from '../support/server-process.ts'
import { describeIdentityProvider } from './runtime/identity-provider.ts'

for (const engine of ['sqlite', 'deno-kv'] as const) {
  describeIdentityProvider(`deno with ${engine}`, async (port, settings) => {
    const server = await ServerProcess.start({ PORT: `${port}`, ...settings }, onDeno(engine))
    return Object.assign(server, { stop: () => server[Symbol.asyncDispose]() })
  })
}
