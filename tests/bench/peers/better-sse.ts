import { type Peer, startServer } from './peer.ts'

const paths = { publishPath: '/jobs/{job}', watchPath: '/jobs/{job}', wire: 'relay' } as const

/** better-sse on the runtime that it is asked for on. */
export function betterSse(runtime: 'Bun' | 'Node'): Peer {
  const command = runtime === 'Bun' ? process.execPath : 'node'
  return {
    name: `better-sse, ${runtime}`,
    missing: () => (Bun.which(command) ? undefined : 'node is not installed'),
    start: () => startServer([command, `tests/bench/peers/better-sse-${runtime.toLowerCase()}.mjs`], paths),
  }
}
