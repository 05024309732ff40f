import { freePorts } from './free-port.ts'
import { RedisServer } from './redis-server.ts'

/** A real cluster on this machine. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[]

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /** Starts a cluster of three primaries, each with as many replicas, and resolves once it serves all slots. */
  static async start(replicas: 0 | 1 = 0, ...args: string[]): Promise<RedisCluster> {
    const count = 3 * (1 + replicas)
    const ports = freePorts(2 * count)
    const nodes = await Promise.all(
      ports.slice(0, count).map((port, index) => startNode(port, ports[count + index] ?? 0, args)),
    )
    const cluster = new RedisCluster(nodes)
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await nodes[0]?.command('--cluster', 'create', ...addresses, '--cluster-replicas', `${replicas}`, '--cluster-yes')
    for (const node of nodes)
      while (!(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok')) await Bun.sleep(20)
    return cluster
  }

  /** The setting of an engine with this cluster: the others are found from two of its nodes. */
  get setting(): string {
    return `redis://${this.nodes
      .slice(0, 2)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(',')}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()))
  }
}

/** @param bus the port by which nodes talk to each other */
function startNode(port: number, bus: number, args: readonly string[]): Promise<RedisServer> {
  const rules = ['--cluster-port', `${bus}`, '--cluster-node-timeout', '1000']
  return RedisServer.startAt(port, '--cluster-enabled', 'yes', ...rules, '--repl-diskless-sync-delay', '0', ...args)
}
