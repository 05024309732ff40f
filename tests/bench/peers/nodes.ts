import { freePort } from '../../support/free-port.ts'
import { onBun } from '../../support/server-process.ts'
import type { Target } from '../target.ts'
import { milepost } from './milepost.ts'
import { owned, type Peer, pin, type Running } from './peer.ts'

const missing = () => (Bun.which('redis-server') ? undefined : 'install the Debian package redis-server')

/** Milepost in so many processes on one Redis, at level `memory`. All run on any core. */
export function milepostNodes(count: number): Peer {
  return {
    name: `Milepost, ${count} ${count === 1 ? 'node' : 'nodes'} on Redis`,
    missing,
    start: () =>
      startNodes(count, ({ port }) => milepost('', { ...onBun, engine: () => `redis://127.0.0.1:${port}` }).start()),
  }
}

/** One process with the memory engine: the HTTP, the validation and the fold of a node, and no store. It runs on any core. */
export const nodeWithoutStore: Peer = {
  name: 'a node with the memory engine',
  missing: () => undefined,
  async start() {
    const running = await milepost('', { ...onBun, engine: () => 'memory:' }).start()
    pin('both', running.target.pid)
    return running
  },
}

/** Redis alone. */
export const redisAlone: Peer = {
  name: 'the script alone',
  missing,
  async start() {
    const { target, stop } = await startRedis()
    return { target: { ...target, publishPath: '', watchPath: '', wire: 'milepost', redis: target }, stop }
  },
}

/** Starts a Redis, and processes that share it. The target is the first of them. */
export async function startNodes(
  count: number,
  start: (redis: { port: number }) => Promise<Running>,
): Promise<Running> {
  const redis = await startRedis()
  const nodes: Running[] = []
  const stop = async () => {
    for (const node of nodes) await node.stop()
    await redis.stop()
  }
  try {
    while (nodes.length < count) {
      const node = await start(redis.target)
      nodes.push(node)
      pin('both', node.target.pid)
    }
  } catch (error) {
    await stop()
    throw error
  }
  const [first, ...others] = nodes.map(({ target }) => target)
  const target = { ...(first as Target), redis: redis.target, others: others.map(({ pid, port }) => ({ pid, port })) }
  return { target, stop }
}

/** A Redis that writes nothing to the disk. */
async function startRedis(): Promise<{ target: { pid: number; port: number }; stop(): Promise<void> }> {
  const port = freePort()
  const child = owned(
    Bun.spawn(['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--save', ''], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  )
  const isUp = () =>
    Bun.spawnSync(['redis-cli', '-p', `${port}`, 'PING'])
      .stdout.toString()
      .startsWith('PONG')
  while (!isUp()) {
    if (child.exitCode !== null) throw new Error('redis-server ended before it listened')
    await Bun.sleep(20)
  }
  const stop = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  return { target: { pid: child.pid, port }, stop }
}
