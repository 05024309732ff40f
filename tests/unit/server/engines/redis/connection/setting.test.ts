import { describe, expect, test } from 'bun:test'
import { formatAddress, parseRedisSetting } from '../../../../../../server/engines/redis/connection/setting.ts'

const fault = (setting: string) => {
  try {
    return parseRedisSetting(setting)
  } catch (error) {
    return error instanceof Error ? error.message : error
  }
}

describe('parseRedisSetting', () => {
  test('parseRedisSetting reads host, port, database and credentials', () => {
    expect(parseRedisSetting('redis://localhost')).toEqual({
      addresses: [{ host: 'localhost', port: 6_379 }],
      tls: false,
      database: 0,
    })
    expect(parseRedisSetting('rediss://ada:p%40ss%3A@10.0.0.7:7000/3')).toEqual({
      addresses: [{ host: '10.0.0.7', port: 7_000 }],
      tls: true,
      username: 'ada',
      password: 'p@ss:',
      database: 3,
    })
    expect(parseRedisSetting('valkey://:hush@[::1]:1/')).toEqual({
      addresses: [{ host: '::1', port: 1 }],
      tls: false,
      password: 'hush',
      database: 0,
    })
  })

  test('parseRedisSetting reads the nodes of a cluster, and Sentinels with their port', () => {
    const at = (host: string, port: number) => ({ host, port })
    expect(parseRedisSetting('redis://a,b:7001,c').addresses).toEqual([at('a', 6_379), at('b', 7_001), at('c', 6_379)])
    expect(parseRedisSetting('redis://a,b:7001/2?sentinel=my-jobs')).toEqual({
      addresses: [at('a', 26_379), at('b', 7_001)],
      tls: false,
      database: 2,
      sentinel: 'my-jobs',
    })
  })

  test('parseRedisSetting refuses other forms, and repeats no password', () => {
    const form =
      'MILEPOST_ENGINE is not of the form redis://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/DATABASE][?sentinel=NAME] (or rediss, valkey).'
    for (const setting of [
      'redis:here',
      'redis://a/x',
      'redis://a?b=c',
      'redis://u:hush@x@a',
      'redis://a/1/2',
      'valkeys://a',
    ])
      expect(fault(setting)).toBe(form)
    for (const [setting, address] of [
      ['redis://', ''],
      ['redis://a,,b', ''],
      ['redis://u:hush@a:99999', 'a:99999'],
      ['redis://a:0', 'a:0'],
      ['redis://::1', '::1'],
    ] as const)
      expect(fault(setting)).toBe(`MILEPOST_ENGINE has the address "${address}". Give it one such as 10.0.0.7:6379.`)
    expect(fault('redis://u:hu%sh@a')).toBe(
      'MILEPOST_ENGINE has a user or password with a % that is not of a percent-encoding: write %25.',
    )
  })

  test('formatAddress puts an IPv6 address into brackets', () => {
    expect(formatAddress({ host: '::1', port: 1 })).toBe('[::1]:1')
    expect(formatAddress({ host: 'a', port: 1 })).toBe('a:1')
  })
})
