import { RedisEngine, type RedisOptions } from '../../server/engines/redis/engine.ts'
import { RedisServer } from '../support/redis-server.ts'
import { describeEngine } from './engine.ts'
import type { OpenEngine } from './fixtures.ts'

const open: OpenEngine = async (limits) => {
  const server = await RedisServer.start()
  const options: RedisOptions = limits ? { limits } : {}
  const engine = await RedisEngine.open(server.setting, options)
  return {
    engine,
    async release() {
      await engine.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

describeEngine('redis', open)
describeEngine('redis', open, { lawRuns: 20, tenant: 'acme' })
