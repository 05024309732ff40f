import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from 'hono/jwt'
import { type Peer, startServer } from './peer.ts'

const SECRET = 'a-secret-for-the-bench-alone-of-32-bytes-or-more'

/** Milepost on Bun as it is shipped: tokens verified, ownership checked, documents folded. */
export function milepost(engine: 'sqlite' | 'memory'): Peer {
  return {
    name: `Milepost, ${engine}`,
    missing: () => undefined,
    async start() {
      const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
      const token = await sign({ sub: 'bench', scope: 'jobs:read jobs:write' }, SECRET, 'HS256')
      const paths = { publishPath: '/api/jobs/{job}/events', watchPath: '/api/jobs/{job}/progress' }
      const running = await startServer(
        [process.execPath, 'server/cli/main.ts', 'serve'],
        { ...paths, wire: 'milepost', token },
        {
          PORT: '0',
          MILEPOST_SECRET: SECRET,
          MILEPOST_ENGINE: engine === 'memory' ? 'memory:' : `sqlite:${join(folder, 'jobs.db')}`,
        },
      )
      const stop = async () => {
        await running.stop()
        await rm(folder, { recursive: true })
      }
      return { ...running, stop }
    },
  }
}
