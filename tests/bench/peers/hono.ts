import { DENO } from '../../support/on-deno.ts'
import { type Peer, startServer } from './peer.ts'

const paths = { publishPath: '/jobs/{job}', watchPath: '/jobs/{job}', wire: 'relay' } as const

/** Hono's own `streamSSE`, as its documentation shows it. */
export function hono(runtime: 'Bun' | 'Deno'): Peer {
  const command =
    runtime === 'Bun'
      ? [process.execPath, 'tests/bench/peers/hono-bun.ts']
      : [DENO, 'run', '--allow-net', 'tests/bench/peers/hono-deno.mjs']
  return {
    name: `Hono streamSSE, ${runtime}`,
    missing: () => undefined,
    start: () => startServer(command, paths),
  }
}
