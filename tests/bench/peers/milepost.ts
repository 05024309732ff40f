import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from 'hono/jwt'
import { onDeno } from '../../support/on-deno.ts'
import { type Launch, onBun } from '../../support/server-process.ts'
import { type Peer, startServer } from './peer.ts'

const SECRET = 'a-secret-for-the-bench-alone-of-32-bytes-or-more'

/** Milepost as it is shipped: tokens verified, ownership checked, documents folded. */
function milepost(name: string, runtime: 'Bun' | 'Deno', launch: Launch): Peer {
  return {
    name,
    runtime,
    missing: () => undefined,
    async start() {
      const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
      const token = await sign({ sub: 'bench', scope: 'jobs:read jobs:write' }, SECRET, 'HS256')
      const paths = { publishPath: '/api/jobs/{job}/events', watchPath: '/api/jobs/{job}/progress' }
      const running = await startServer(
        launch.command(folder),
        { ...paths, wire: 'milepost', token },
        { PORT: '0', HOST: '127.0.0.1', MILEPOST_SECRET: SECRET, MILEPOST_ENGINE: launch.engine(folder) },
      )
      const stop = async () => {
        await running.stop()
        await rm(folder, { recursive: true })
      }
      return { ...running, stop }
    },
  }
}

export const mileposts: Peer[] = [
  milepost('Milepost, sqlite', 'Bun', onBun),
  milepost('Milepost, memory', 'Bun', { ...onBun, engine: () => 'memory:' }),
  milepost('Milepost, sqlite, Deno', 'Deno', onDeno('sqlite')),
]
