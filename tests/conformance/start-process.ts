import { type Launch, ServerProcess } from '../support/server-process.ts'
import type { StartRuntime } from './runtime/runtime.ts'

/** Starts servers that are a process each, with what they print and hold for the tests to see. */
export function startProcess(launch: Launch): StartRuntime {
  return async (settings) => {
    const server = await ServerProcess.start(settings, launch)
    return {
      url: server.url,
      signInLink: server.signInLink,
      get output() {
        return server.output
      },
      residentBytes: () => server.residentBytes(),
      stop: () => server[Symbol.asyncDispose](),
    }
  }
}
