import { type Peer, startServer } from './peer.ts'

const paths = { publishPath: '/jobs/{job}', watchPath: '/jobs/{job}', wire: 'relay' } as const

/** Hono's own `streamSSE` on Bun, as its documentation shows it. */
export const hono: Peer = {
  name: 'Hono streamSSE, Bun',
  missing: () => undefined,
  start: () => startServer([process.execPath, 'tests/bench/peers/hono-server.ts'], paths),
}
