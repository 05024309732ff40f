import { RedisEngine, type RedisOptions } from '../../server/engines/redis/engine.ts'
import { RedisCluster } from '../support/redis-cluster.ts'
import { RedisSentinels } from '../support/redis-sentinels.ts'
import { describeEngine } from './engine/engine.ts'
import type { OpenEngine } from './fixtures.ts'

/** Opens engines, each over servers of its own. */
const over =
  (start: () => Promise<AsyncDisposable & { setting: string }>): OpenEngine =>
  async (limits) => {
    const servers = await start()
    const options: RedisOptions = limits ? { limits } : {}
    const engine = await RedisEngine.open(servers.setting, options)
    return {
      engine,
      async release() {
        await engine.close()
        await servers[Symbol.asyncDispose]()
      },
    }
  }

describeEngine(
  'redis',
  over(() => RedisCluster.start()),
  { lawRuns: 15 },
)
describeEngine(
  'redis',
  over(() => RedisSentinels.start()),
  { lawRuns: 15 },
)
