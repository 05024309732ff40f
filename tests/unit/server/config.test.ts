import { describe, expect, test } from 'bun:test'
import { ConfigError, limitVariable, readConfig } from '../../../server/config.ts'
import { defaultLimits, type Limits } from '../../../shared/limits.ts'

const secret = '0123456789abcdef0123456789abcdef'

/** What is wrong with an environment. */
function fault(environment: Record<string, string>): string {
  try {
    readConfig(environment)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  throw new Error('Nothing is wrong')
}

describe('readConfig', () => {
  test('readConfig of nothing gives the defaults', () => {
    expect(readConfig({})).toEqual({
      port: 8787,
      host: undefined,
      secret: undefined,
      issuer: undefined,
      audience: undefined,
      engine: 'sqlite:./data/milepost.db',
      origins: [],
      frameMs: 25,
      retentionSeconds: undefined,
      limits: { ...defaultLimits },
    })
  })

  test('readConfig reads every setting, without the blanks around it', () => {
    const environment = {
      PORT: ' 0 ',
      HOST: '::1',
      MILEPOST_SECRET: `${secret}, ${secret}x`,
      MILEPOST_ISSUER: 'https://id.example',
      MILEPOST_AUDIENCE: 'milepost',
      MILEPOST_ENGINE: 'memory:',
      MILEPOST_ORIGINS: 'https://a.example, http://localhost:3000 ,*',
      MILEPOST_FRAME_MS: '0',
      MILEPOST_RETENTION_SECONDS: '3155760000',
      MILEPOST_EVENT_BYTES: '1',
      PATH: '/bin',
    }
    expect(readConfig(environment)).toEqual({
      port: 0,
      host: '::1',
      secret: [secret, `${secret}x`],
      issuer: 'https://id.example',
      audience: 'milepost',
      engine: 'memory:',
      origins: ['https://a.example', 'http://localhost:3000', '*'],
      frameMs: 0,
      retentionSeconds: 3_155_760_000,
      limits: { ...defaultLimits, eventBytes: 1 },
    })
  })

  test('readConfig takes a setting that is blank for one that is left out', () => {
    expect(readConfig({ PORT: ' ', HOST: '', MILEPOST_SECRET: ' ', MILEPOST_ITEMS: '', MILEPOST_ORIGINS: '' })).toEqual(
      readConfig({}),
    )
  })

  test('readConfig sets each limit by its own variable', () => {
    const names = Object.keys(defaultLimits) as (keyof Limits)[]
    for (const name of names)
      expect(readConfig({ [limitVariable(name)]: '7' }).limits).toEqual({ ...defaultLimits, [name]: 7 })
    expect(names.map(limitVariable)).toEqual([
      'MILEPOST_EVENT_BYTES',
      'MILEPOST_BODY_BYTES',
      'MILEPOST_BATCH_EVENTS',
      'MILEPOST_ITEMS',
      'MILEPOST_STEPS',
      'MILEPOST_DOCUMENT_BYTES',
      'MILEPOST_RESULT_BYTES',
      'MILEPOST_METADATA_BYTES',
      'MILEPOST_MESSAGE_BYTES',
      'MILEPOST_TITLE_BYTES',
      'MILEPOST_STREAMS',
      'MILEPOST_LIVE_JOBS',
      'MILEPOST_UPLOAD_BYTES',
    ])
  })

  test('readConfig says of every bad setting what would do', () => {
    for (const value of ['x', '-1', '65536', '1.5', '1e3', '0x10', '99999999999999999999'])
      expect(fault({ PORT: value })).toBe(`PORT is "${value}". Give it a whole number from 0 to 65535.`)
    for (const value of ['-1', '60001', 'soon'])
      expect(fault({ MILEPOST_FRAME_MS: value })).toBe(
        `MILEPOST_FRAME_MS is "${value}". Give it a whole number from 0 to 60000.`,
      )
    for (const value of ['0', '3155760001', 'forever'])
      expect(fault({ MILEPOST_RETENTION_SECONDS: value })).toBe(
        `MILEPOST_RETENTION_SECONDS is "${value}". Give it a whole number from 1 to 3155760000.`,
      )
    expect(fault({ MILEPOST_ITEMS: '0' })).toBe('MILEPOST_ITEMS is "0". Give it a whole number of 1 or more.')
    for (const value of ['example.com', 'https://a.example/', 'https://a.example/path', 'HTTPS://A.example', 'null'])
      expect(fault({ MILEPOST_ORIGINS: `https://ok.example,${value}` })).toBe(
        `MILEPOST_ORIGINS has "${value}". Give it origins such as https://example.com.`,
      )
    expect(fault({ MILEPOST_SECERT: 'x' })).toBe(
      'MILEPOST_SECERT is not a setting. "milepost --help" lists those that there are.',
    )
  })

  test('readConfig refuses a file of a secret where nobody has read it', () => {
    expect(fault({ MILEPOST_SECRET_FILE: '/run/secret' })).toBe(
      'MILEPOST_SECRET_FILE names a file, and there are none here. Set MILEPOST_SECRET instead.',
    )
  })

  test('readConfig leaves alone what commands take that speak to a server', () => {
    expect(readConfig({ MILEPOST_TOKEN: 'x', MILEPOST_TOKEN_FILE: 'y' })).toEqual(readConfig({}))
  })

  test('readConfig says how long a secret is, and never what it is', () => {
    const message = (bytes: number) =>
      `MILEPOST_SECRET has a secret of ${bytes} bytes. Give it 32 or more: "openssl rand -hex 32" makes one.`
    expect(fault({ MILEPOST_SECRET: 'hunter2' })).toBe(message(7))
    expect(fault({ MILEPOST_SECRET: `${secret},hunter2` })).toBe(message(7))
    expect(fault({ MILEPOST_SECRET: `${secret},` })).toBe(message(0))
    expect(readConfig({ MILEPOST_SECRET: 'ü'.repeat(16) }).secret).toEqual(['ü'.repeat(16)])
  })
})
