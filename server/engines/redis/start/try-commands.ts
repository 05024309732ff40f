import { EngineOpenError } from '../../../jobs/engine.ts'
import type { RedisClient } from '../connection/client.ts'
import type { PartitionKeys } from '../keys.ts'

/** Calls what the other scripts call. First what can only delete, so that nothing is left when a right is missing. */
const SOURCE = `#!lua
local key = KEYS[1]
redis.call('UNLINK', key)
redis.call('INFO', 'replication')
redis.call('TIME')
redis.call('PUBSUB', 'SHARDNUMSUB', key)
redis.call('SPUBLISH', key, '')
redis.call('EXISTS', key)
redis.call('GET', key)
redis.call('HGET', key, 'a')
redis.call('HMGET', key, 'a')
redis.call('HDEL', key, 'a')
redis.call('ZREM', key, 'a')
redis.call('ZCARD', key)
redis.call('ZCOUNT', key, 0, 0)
redis.call('ZRANGE', key, 0, 0)
redis.call('ZREVRANGE', key, 0, 0)
redis.call('ZRANGEBYSCORE', key, 0, 0)
redis.call('ZREVRANGEBYSCORE', key, 0, 0)
redis.call('ZRANGEBYLEX', key, '[a', '[b')
redis.call('ZPOPMIN', key)
redis.call('SET', key, 'a', 'PX', 1000)
redis.call('UNLINK', key)
redis.call('HSET', key, 'a', 1)
redis.call('HINCRBY', key, 'a', 1)
redis.call('UNLINK', key)
redis.call('ZADD', key, 0, 'a')
redis.call('ZINCRBY', key, 1, 'a')
redis.call('PEXPIRE', key, 1000)
redis.call('PERSIST', key)
redis.call('RENAME', key, key)
redis.call('UNLINK', key)
return 1
`

/** Tries all commands that the engine needs, without leaving anything. @throws {EngineOpenError} that names what is missing */
export async function tryCommands(client: RedisClient, at: string, keys: PartitionKeys): Promise<void> {
  const key = keys.probe('start')
  try {
    await client.sendCommand(['EVAL', SOURCE, '1', key])
    const sha = await client.sendCommand<string>(['SCRIPT', 'LOAD', SOURCE])
    await client.sendCommand(['EVALSHA', sha, '1', key])
    await client.sSubscribe(key, () => {})
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (!/NOPERM|ACL|can't (run|access|publish)|permission|nknown|not allowed/.test(reason)) throw error
    throw new EngineOpenError(
      `${at} does not let Milepost use ${commandIn(reason)}. Its user needs: ~mp:* &mp:* +@all -@admin +info.`,
      { cause: error },
    )
  }
}

/** The command that an error is about: it names the line of the script, or the command. */
function commandIn(reason: string): string {
  const [, line] = /user_script:(\d+)/.exec(reason) ?? []
  const [, inScript] = /call\('(\w+)'/.exec(SOURCE.split('\n')[Number(line) - 1] ?? '') ?? []
  const [, alone] = /'([\w|]+)' command/.exec(reason) ?? []
  return (inScript ?? alone)?.toUpperCase() ?? `a command that it needs (${reason})`
}
