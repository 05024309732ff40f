import { type Peer, startServer } from './peer.ts'

const paths = { publishPath: '/jobs/{job}', watchPath: '/jobs/{job}', wire: 'relay' } as const

/** The floor: ready-made bytes, written to sockets, on Bun. */
export const raw: Peer = {
  name: 'raw sockets, Bun',
  missing: () => undefined,
  start: () => startServer([process.execPath, 'tests/bench/peers/raw-server.ts'], paths),
}
