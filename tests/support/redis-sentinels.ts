import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisServer } from './redis-server.ts'

const NAME = 'jobs'

/** A real primary, its replica, and the Sentinels that watch them. */
export class RedisSentinels {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
  readonly #folder: string

  private constructor(primary: RedisServer, replica: RedisServer, sentinels: readonly RedisServer[], folder: string) {
    this.primary = primary
    this.replica = replica
    this.sentinels = sentinels
    this.#folder = folder
  }

  /** Resolves once the replica is connected and all Sentinels know it and each other. */
  static async start(count = 1, ...args: string[]): Promise<RedisSentinels> {
    const primary = await RedisServer.start('--repl-diskless-sync-delay', '0', ...args)
    const replica = await RedisServer.start('--replicaof', `127.0.0.1 ${primary.port}`, ...args)
    const folder = await mkdtemp(join(tmpdir(), 'milepost-sentinel-'))
    const quorum = Math.floor(count / 2) + 1
    const sentinels = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        // A Sentinel keeps what it learns in its configuration.
        const file = join(folder, `${index}.conf`)
        const rules = ['down-after-milliseconds jobs 500', 'failover-timeout jobs 3000', 'parallel-syncs jobs 1']
        const lines = [`monitor ${NAME} 127.0.0.1 ${primary.port} ${quorum}`, ...rules].map(
          (line) => `sentinel ${line}`,
        )
        await writeFile(file, `${lines.join('\n')}\n`)
        return RedisServer.startSentinel(file)
      }),
    )
    for (const sentinel of sentinels) {
      for (;;) {
        const state = await sentinel.command('SENTINEL', 'MASTER', NAME)
        if (state.includes('num-slaves\n1\n') && state.includes(`num-other-sentinels\n${count - 1}\n`)) break
        await Bun.sleep(50)
      }
    }
    return new RedisSentinels(primary, replica, sentinels, folder)
  }

  /** The setting of an engine with these Sentinels. */
  get setting(): string {
    return `redis://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}?sentinel=${NAME}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.sentinels, this.primary, this.replica]
    await Promise.all(all.map((server) => server[Symbol.asyncDispose]()))
    await rm(this.#folder, { recursive: true, force: true })
  }
}
