import { RedisEngine } from '../../server/engines/redis/engine.ts'
import { RedisServer } from '../support/redis-server.ts'
import { describeEngine } from './engine.ts'
import type { OpenEngine } from './fixtures.ts'

const open: OpenEngine = async (limits) => {
  const server = await RedisServer.start()
  const engine = await RedisEngine.open(server.setting, limits && { limits })
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
