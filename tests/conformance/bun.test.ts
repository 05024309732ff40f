import { readFile } from 'node:fs/promises'
import { ServerProcess } from '../support/server-process.ts'
import { describeRuntime } from './runtime.ts'

describeRuntime(
  'bun',
  async (settings) => {
    const server = await ServerProcess.start(settings)
    return {
      url: server.url,
      signInLink: server.signInLink,
      get output() {
        return server.output
      },
      residentBytes: async () => {
        const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
        return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
      },
      stop: () => server[Symbol.asyncDispose](),
    }
  },
  { noticesWithinMs: 1_000 },
)
