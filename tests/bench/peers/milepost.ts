import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sign } from 'hono/jwt'
import { onDeno } from '../../support/on-deno.ts'
import { type Launch, onBun } from '../../support/server-process.ts'
import { type Peer, startServer } from './peer.ts'

const SECRET = 'a-secret-for-the-bench-alone-of-32-bytes-or-more'

/** Milepost as it is shipped: tokens verified, ownership checked, documents folded. */
export function milepost(name: string, launch: Launch, environment: Record<string, string> = {}): Peer {
  return {
    name,
    missing: () => undefined,
    async start() {
      const folder = await mkdtemp(join(tmpdir(), 'milepost-bench-'))
      const exp = Math.floor(Date.now() / 1_000) + 86_400
      const tokenOf = (sub: string) => sign({ sub, scope: 'jobs:read jobs:write', exp }, SECRET, 'HS256')
      const tokens = { token: await tokenOf('bench'), otherToken: await tokenOf('other') }
      const engine = launch.engine(folder)
      const store = /^sqlite:(.+)$/.exec(engine)?.[1]
      const paths = { publishPath: '/api/jobs/{job}/events', watchPath: '/api/jobs/{job}/progress' }
      const running = await startServer(
        launch.command(folder),
        { ...paths, wire: 'milepost', ...tokens, ...(store ? { store } : {}) },
        { PORT: '0', HOST: '127.0.0.1', MILEPOST_SECRET: SECRET, MILEPOST_ENGINE: engine, ...environment },
      )
      const stop = async () => {
        await running.stop()
        await rm(folder, { recursive: true })
      }
      return { ...running, stop }
    },
  }
}

export const onSqlite = milepost('Milepost, sqlite', onBun)
export const onMemory = milepost('Milepost, memory', { ...onBun, engine: () => 'memory:' })
export const onDenoSqlite = milepost('Milepost, sqlite, Deno', onDeno('sqlite'))
