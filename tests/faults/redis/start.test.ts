import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { AcknowledgeLevel } from '../../../server/engines/redis/connection/acknowledge.ts'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { freePort } from '../../support/free-port.ts'
import { RedisServer } from '../../support/redis-server.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis[Symbol.asyncDispose]())

/** Why an engine does not open; `undefined` if it does. */
async function refusal(setting: string, acknowledge: AcknowledgeLevel = 'memory'): Promise<string | undefined> {
  try {
    await (await RedisEngine.open(setting, { acknowledge })).close()
    return undefined
  } catch (error) {
    return `${error}`
  }
}

/** A server that replies to every command with the same bytes; without any, it stays mute. */
function impostor(reply: string | undefined) {
  return Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket, data) {
        const commands = data.toString().match(/\*\d+\r\n/g) ?? []
        if (reply !== undefined) socket.write(reply.repeat(commands.length))
      },
    },
  })
}

describe('a Redis server that can not be used is refused with a sentence, and nothing is written', () => {
  const at = () => `127.0.0.1:${redis.port}`
  const refused = (sentence: string) => `EngineOpenError: ${sentence}`

  test('a wrong address', async () => {
    const port = freePort()
    expect(await refusal(`redis://127.0.0.1:${port}`)).toBe(
      refused(`Nothing listens on 127.0.0.1:${port}: start Redis there, or correct MILEPOST_ENGINE.`),
    )
    expect(await refusal('redis://redis.invalid')).toBe(
      refused('The host of redis.invalid:6379 is not known: correct MILEPOST_ENGINE.'),
    )
  })

  test('another server, and one that says nothing', async () => {
    const web = impostor('HTTP/1.1 400 Bad Request\r\n\r\n')
    expect(await refusal(`redis://127.0.0.1:${web.port}`)).toBe(
      refused(`127.0.0.1:${web.port} is no Redis server: correct MILEPOST_ENGINE.`),
    )
    web.stop(true)
    const mute = impostor(undefined)
    expect(await refusal(`redis://127.0.0.1:${mute.port}`)).toBe(
      refused(
        `127.0.0.1:${mute.port} does not answer as a Redis server within 3 seconds: see whether it runs, and correct MILEPOST_ENGINE.`,
      ),
    )
    mute.stop(true)
  })

  test('a server without TLS for rediss', async () => {
    expect(await refusal(redis.setting.replace('redis:', 'rediss:'))).toMatch(/TLS/)
  })

  test('a database that there is not', async () => {
    expect(await refusal(`${redis.setting}/99`)).toBe(refused(`${at()} has no database 99: correct MILEPOST_ENGINE.`))
  })

  test('a password that is wrong, missing, or for a server without one', async () => {
    const wrong = refused(`${at()} refuses the user or the password of MILEPOST_ENGINE: correct them.`)
    const withPassword = (password: string) => redis.setting.replace('//', `//:${password}@`)
    expect(await refusal(withPassword('hush'))).toBe(wrong)
    await redis.command('CONFIG', 'SET', 'requirepass', 'hush')
    expect(await refusal(withPassword('other'))).toBe(wrong)
    expect(await refusal(redis.setting)).toBe(refused(`${at()} needs a password: redis://:PASSWORD@…`))
    expect(await redis.command('-a', 'hush', '--no-auth-warning', 'DBSIZE')).toBe('0')
    await redis.command('-a', 'hush', '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', '')
  })

  test('a user without the rights', async () => {
    const user = redis.setting.replace('//', '//ada:hush@')
    const setUser = (...rules: string[]) => redis.command('ACL', 'SETUSER', 'ada', 'reset', 'on', '>hush', ...rules)
    for (const [rules, command] of [
      ['~* &* +@all -hset', 'HSET'],
      ['~* &* +@all -ssubscribe', 'SSUBSCRIBE'],
      ['~* &* +@all -eval', 'EVAL'],
      ['~* &other:* +@all', 'SPUBLISH'],
    ] as const) {
      await setUser(...rules.split(' '))
      expect(await refusal(user)).toBe(
        refused(`${at()} does not let Milepost use ${command}. Its user needs: ~mp:* &mp:* +@all -@admin +info.`),
      )
    }
    await setUser('~other:*', '&*', '+@all')
    expect(await refusal(user)).toMatch(/the rights that Milepost needs: ~mp:\*/)
    await setUser('~mp:*', '&mp:*', '+@all', '-@admin', '+info')
    expect(await refusal(user)).toBeUndefined()
    await redis.command('FLUSHALL')
    await setUser('~*', '&*', '+@all', '-info')
    expect(await refusal(user)).toBe(
      refused(`${at()} does not give the user ada the rights that Milepost needs: ~mp:* &mp:* +@all -@admin +info.`),
    )
    expect(await redis.command('DBSIZE')).toBe('0')
  })

  test('a maxmemory-policy that evicts', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await refusal(redis.setting)).toBe(
      refused(`${at()} has the maxmemory-policy allkeys-lru, which deletes parts of documents: set it to noeviction.`),
    )
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
  })

  test('several servers that are no cluster', async () => {
    expect(await refusal(`${redis.setting},127.0.0.1:1`)).toBe(
      refused(
        'MILEPOST_ENGINE has several addresses, but the servers are no cluster: name one, or with ?sentinel=NAME the Sentinels.',
      ),
    )
  })

  test('an old server', async () => {
    const info = 'redis_version:6.2.14\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n'
    const old = impostor(`$${info.length}\r\n${info}\r\n`)
    expect(await refusal(`redis://127.0.0.1:${old.port}`)).toBe(
      refused(`127.0.0.1:${old.port} is Redis 6.2.14: Milepost needs Redis 7.0 or newer, or Valkey.`),
    )
    old.stop(true)
  })

  test('a level that the server does not have', async () => {
    expect(await refusal(redis.setting, 'disk')).toBe(
      refused(
        `MILEPOST_ACKNOWLEDGE is disk, but ${at()} keeps no append-only file: set appendonly yes and appendfsync always.`,
      ),
    )
    expect(await refusal(redis.setting, 'replica')).toBe(
      refused(`MILEPOST_ACKNOWLEDGE is replica, but ${at()} has no replica: connect one, or choose disk or memory.`),
    )
    await redis.command('CONFIG', 'SET', 'appendonly', 'yes')
    expect(await refusal(redis.setting, 'disk')).toBe(
      refused(`MILEPOST_ACKNOWLEDGE is disk, but ${at()} has appendfsync everysec: set it to always.`),
    )
    await redis.command('CONFIG', 'SET', 'appendonly', 'no')
  })

  test('a replica', async () => {
    const port = freePort()
    await redis.command('REPLICAOF', '127.0.0.1', `${port}`)
    expect(await refusal(redis.setting)).toBe(
      refused(`${at()} is a replica of 127.0.0.1:${port}: name the primary, or the Sentinels with ?sentinel=NAME.`),
    )
    await redis.command('REPLICAOF', 'NO', 'ONE')
  })

  test('keys of something else, and of another format', async () => {
    await redis.command('SET', 'mp:{x}:y', '1')
    expect(await refusal(redis.setting)).toBe(
      refused(`${at()} has keys such as "mp:{x}:y", which this Milepost did not write: name another database.`),
    )
    expect(await redis.command('DBSIZE')).toBe('1')
    await redis.command('FLUSHALL')
    await redis.command('SET', 'other', '1')
    expect(await refusal(redis.setting)).toBeUndefined()
    expect(await refusal(redis.setting)).toBeUndefined()
    await redis.command('SET', 'mp:{all}:format', 'milepost 9, 1 partitions')
    expect(await refusal(redis.setting)).toBe(
      refused(
        `${at()} has a store of another format ("milepost 9, 1 partitions"; this one writes "milepost 1, 1 partitions"): run the Milepost that wrote it, or name another database.`,
      ),
    )
    await redis.command('FLUSHALL')
    await redis.command('LPUSH', 'mp:{all}:format', '1')
    expect(await refusal(redis.setting)).toBe(
      refused(`${at()} has keys of another program that begin with mp: name another database.`),
    )
    await redis.command('FLUSHALL')
  })

  test('milepost serve says so, and exits with 1', async () => {
    const port = freePort()
    const child = Bun.spawn([process.execPath, 'server/cli/main.ts', 'serve'], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', MILEPOST_ENGINE: `redis://127.0.0.1:${port}` },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect({ out, err, code: await child.exited }).toEqual({
      out: '',
      err: expect.stringContaining(
        `Nothing listens on 127.0.0.1:${port}: start Redis there, or correct MILEPOST_ENGINE.`,
      ),
      code: 1,
    })
  })
})
