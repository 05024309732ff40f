import { afterAll } from 'bun:test'
import { onDeno } from '../support/on-deno.ts'
import { RedisServer } from '../support/redis-server.ts'
import { onBun } from '../support/server-process.ts'
import { describeRuntime } from './runtime/runtime.ts'
import { startProcess } from './start-process.ts'

const redis = await RedisServer.start('--databases', '1000')
let databases = 0

/** Each server has a database of its own. */
const engine = () => `${redis.setting}/${databases++}`

describeRuntime('bun with redis', startProcess({ ...onBun, engine }))
describeRuntime('deno with redis', startProcess({ ...onDeno('sqlite'), engine }))

afterAll(() => redis[Symbol.asyncDispose]())
