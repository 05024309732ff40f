import { describe, expect, test } from 'bun:test'
import { ConfigError, limitVariable, readConfig } from '../../../server/config.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'

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
  test('readConfig of an empty environment returns the defaults', () => {
    expect(readConfig({})).toEqual({
      port: 8787,
      host: undefined,
      secret: undefined,
      issuer: undefined,
      audience: undefined,
      tokenSeconds: 7_776_000,
      jwksUrl: undefined,
      oidc: undefined,
      subClaim: undefined,
      tenantClaim: undefined,
      scopeClaim: undefined,
      engine: 'sqlite:./data/milepost.db',
      acknowledge: undefined,
      origins: [],
      publicOrigin: undefined,
      basePath: '',
      trustedProxies: [],
      hstsSeconds: undefined,
      frameMs: 25,
      pingSeconds: 30,
      retentionSeconds: 2_592_000,
      auditSeconds: 2_592_000,
      webhooks: { urls: [], networks: [] },
      log: [],
      limits: { ...defaultLimits },
    })
  })

  test('readConfig reads every setting, without surrounding blanks', () => {
    const environment = {
      PORT: ' 0 ',
      HOST: '::1',
      MILEPOST_SECRET: `${secret}, ${secret}x`,
      MILEPOST_ISSUER: 'https://id.example',
      MILEPOST_AUDIENCE: 'milepost',
      MILEPOST_TOKEN_SECONDS: '3600',
      MILEPOST_JWKS_URL: 'https://id.example/jwks',
      MILEPOST_OIDC_ISSUER: 'https://id.example',
      MILEPOST_OIDC_CLIENT_ID: 'dashboard',
      MILEPOST_OIDC_CLIENT_SECRET: 'hush',
      MILEPOST_SUB_CLAIM: 'email',
      MILEPOST_TENANT_CLAIM: 'org_id',
      MILEPOST_SCOPE_CLAIM: 'roles',
      MILEPOST_ENGINE: 'memory:',
      MILEPOST_ACKNOWLEDGE: 'disk',
      MILEPOST_ORIGINS: 'https://a.example, http://localhost:3000 ',
      MILEPOST_PUBLIC_URL: 'https://example.com',
      MILEPOST_BASE_PATH: '/mp/',
      MILEPOST_TRUSTED_PROXIES: '10.0.0.7, fd00::/8',
      MILEPOST_HSTS_SECONDS: '31536000',
      MILEPOST_FRAME_MS: '0',
      MILEPOST_PING_SECONDS: '2',
      MILEPOST_RETENTION_SECONDS: '3155760000',
      MILEPOST_AUDIT_SECONDS: '60',
      MILEPOST_WEBHOOK_URLS: 'https://a.example/hook?key=1, http://10.0.0.7/',
      MILEPOST_WEBHOOK_NETWORKS: '10.0.0.7, fd00::/8',
      MILEPOST_LOG: 'requests, audit',
      MILEPOST_EVENT_BYTES: '1',
      PATH: '/bin',
    }
    expect(readConfig(environment)).toEqual({
      port: 0,
      host: '::1',
      secret: [secret, `${secret}x`],
      issuer: 'https://id.example',
      audience: 'milepost',
      tokenSeconds: 3_600,
      jwksUrl: 'https://id.example/jwks',
      oidc: { issuer: 'https://id.example', clientId: 'dashboard', clientSecret: 'hush' },
      subClaim: 'email',
      tenantClaim: 'org_id',
      scopeClaim: 'roles',
      engine: 'memory:',
      acknowledge: 'disk',
      origins: ['https://a.example', 'http://localhost:3000'],
      publicOrigin: 'https://example.com',
      basePath: '/mp',
      trustedProxies: ['10.0.0.7', 'fd00::/8'],
      hstsSeconds: 31_536_000,
      frameMs: 0,
      pingSeconds: 2,
      retentionSeconds: 3_155_760_000,
      auditSeconds: 60,
      webhooks: { urls: ['https://a.example/hook?key=1', 'http://10.0.0.7/'], networks: ['10.0.0.7', 'fd00::/8'] },
      log: ['requests', 'audit'],
      limits: { ...defaultLimits, eventBytes: 1 },
    })
  })

  test('readConfig treats a blank setting as omitted', () => {
    expect(readConfig({ PORT: ' ', HOST: '', MILEPOST_SECRET: ' ', MILEPOST_ITEMS: '', MILEPOST_ORIGINS: '' })).toEqual(
      readConfig({}),
    )
  })

  test('readConfig reads the base path from either setting', () => {
    const pathOf = (publicUrl: string, basePath = '') => {
      const config = readConfig({ MILEPOST_PUBLIC_URL: publicUrl, MILEPOST_BASE_PATH: basePath })
      return [config.publicOrigin, config.basePath]
    }
    expect(pathOf('https://Example.com/')).toEqual(['https://example.com', ''])
    expect(pathOf('https://example.com:443/mp/')).toEqual(['https://example.com', '/mp'])
    expect(pathOf('https://example.com:8443', '/a/b')).toEqual(['https://example.com:8443', '/a/b'])
    expect(pathOf('http://example.com/mp', '/mp/')).toEqual(['http://example.com', '/mp'])
    expect(pathOf('', '/apis')).toEqual([undefined, '/apis'])
    expect(pathOf('', '/')).toEqual([undefined, ''])
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
      'MILEPOST_JOB_STREAMS',
      'MILEPOST_LIVE_JOBS',
      'MILEPOST_KEPT_JOBS',
      'MILEPOST_KEPT_BYTES',
      'MILEPOST_UPLOAD_BYTES',
      'MILEPOST_FORM_PARTS',
      'MILEPOST_SERVICES',
      'MILEPOST_PUBLISHES_PER_SECOND',
      'MILEPOST_PUBLISH_BYTES_PER_SECOND',
      'MILEPOST_CREATES_PER_SECOND',
      'MILEPOST_TOKENS_PER_SECOND',
      'MILEPOST_SERVICES_PER_SECOND',
      'MILEPOST_REQUESTS_PER_SECOND',
      'MILEPOST_STRANGERS_PER_SECOND',
    ])
  })

  test('readConfig says of every invalid setting what is valid', () => {
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
    expect(readConfig({ MILEPOST_ORIGINS: ' * ' }).origins).toEqual(['*'])
    for (const value of ['https://a.example,*', '*,https://a.example', '*,*']) {
      expect(fault({ MILEPOST_ORIGINS: value })).toBe(
        'MILEPOST_ORIGINS has "*". * alone stands for all origins; otherwise list each origin.',
      )
    }
    for (const value of ['https://*.example.com', '*.example.com', 'https://example.com:*'])
      expect(fault({ MILEPOST_ORIGINS: value })).toBe(
        `MILEPOST_ORIGINS has "${value}". * alone stands for all origins; otherwise list each origin.`,
      )
    for (const value of [
      'example.com',
      'ftp://example.com',
      'https://a.example/?q',
      'https://u@a.example',
      'https://a.example/#h',
    ])
      expect(fault({ MILEPOST_PUBLIC_URL: value })).toBe(
        `MILEPOST_PUBLIC_URL is "${value}". Give it an address such as https://example.com/mp.`,
      )
    for (const value of ['mp', '/a//b', '/a/../b', '/:id', '/*', '/api', '/jobs/x', '/docs/', '/%20'])
      expect(fault({ MILEPOST_BASE_PATH: value })).toBe(
        `MILEPOST_BASE_PATH has the path "${value}". Give it one such as /mp, that does not begin with /api, /jobs or /docs.`,
      )
    expect(fault({ MILEPOST_PUBLIC_URL: 'https://example.com/mp', MILEPOST_BASE_PATH: '/other' })).toBe(
      'MILEPOST_PUBLIC_URL is under /mp, MILEPOST_BASE_PATH is /other. Leave out the second.',
    )
    for (const value of ['proxy', '10.0.0', '10.0.0.256', '10.0.0.0/33', '::1/129', ':::', '10.0.0.0/8/9', '1.2.3.4/'])
      expect(fault({ MILEPOST_TRUSTED_PROXIES: `127.0.0.1,${value}` })).toBe(
        `MILEPOST_TRUSTED_PROXIES has "${value}". Give it addresses such as 10.0.0.7, or ranges such as 10.0.0.0/8.`,
      )
    const us = { MILEPOST_ISSUER: 'https://id.example', MILEPOST_AUDIENCE: 'milepost' }
    for (const value of [
      'http://id.example/jwks',
      'id.example/jwks',
      'file:///etc/keys',
      'http://localhost.evil.example/',
    ])
      expect(fault({ ...us, MILEPOST_JWKS_URL: value })).toBe(
        `MILEPOST_JWKS_URL is "${value}". Give it an https URL: whoever can change the keys signs tokens.`,
      )
    for (const name of ['MILEPOST_ISSUER', 'MILEPOST_AUDIENCE'])
      expect(fault({ ...us, [name]: '', MILEPOST_JWKS_URL: 'http://localhost:3000/jwks' })).toBe(
        `MILEPOST_JWKS_URL needs ${name}: the provider signs tokens for others too.`,
      )
    const oidc = {
      MILEPOST_OIDC_ISSUER: 'https://id.example',
      MILEPOST_OIDC_CLIENT_ID: 'dashboard',
      MILEPOST_OIDC_CLIENT_SECRET: 'hush',
      MILEPOST_PUBLIC_URL: 'https://example.com',
    }
    for (const [name, value, reason] of [
      ['MILEPOST_OIDC_ISSUER', '', 'Sign-in by an OpenID provider needs MILEPOST_OIDC_ISSUER too.'],
      ['MILEPOST_OIDC_CLIENT_SECRET', '', 'Sign-in by an OpenID provider needs MILEPOST_OIDC_CLIENT_SECRET too.'],
      [
        'MILEPOST_OIDC_ISSUER',
        'http://id.example',
        'MILEPOST_OIDC_ISSUER is "http://id.example". Give it an https URL.',
      ],
      [
        'MILEPOST_PUBLIC_URL',
        '',
        'Sign-in by an OpenID provider needs MILEPOST_PUBLIC_URL, which the provider sends people back to.',
      ],
    ] as const)
      expect(fault({ ...oidc, [name]: value })).toBe(reason)
    expect(fault({ MILEPOST_LOG: 'all' })).toBe(
      'MILEPOST_LOG has "all". Give it requests, audit, both separated by a comma, or none.',
    )
    expect(fault({ MILEPOST_ACKNOWLEDGE: 'all' })).toBe(
      'MILEPOST_ACKNOWLEDGE is "all". Give it memory, disk or replica.',
    )
    expect(fault({ MILEPOST_SECERT: 'x' })).toBe(
      'MILEPOST_SECERT is not a setting. "milepost --help" lists all settings.',
    )
  })

  test('readConfig refuses a file of a setting that no entry has read', () => {
    for (const name of ['MILEPOST_SECRET', 'MILEPOST_OIDC_CLIENT_SECRET', 'MILEPOST_ENGINE'])
      expect(fault({ [`${name}_FILE`]: '/run/secret' })).toBe(
        `${name}_FILE does not work here, where there are no files. Set ${name} instead.`,
      )
  })

  test('readConfig accepts the variables of client commands', () => {
    expect(readConfig({ MILEPOST_URL: 'z', MILEPOST_TOKEN: 'x', MILEPOST_TOKEN_FILE: 'y' })).toEqual(readConfig({}))
  })

  test('readConfig names the length of a bad secret, and never the secret', () => {
    const message = (bytes: number) =>
      `MILEPOST_SECRET has a secret of ${bytes} bytes. Give it 32 or more: "openssl rand -hex 32" makes one.`
    expect(fault({ MILEPOST_SECRET: 'hunter2' })).toBe(message(7))
    expect(fault({ MILEPOST_SECRET: `${secret},hunter2` })).toBe(message(7))
    expect(fault({ MILEPOST_SECRET: `${secret},` })).toBe(message(0))
    expect(readConfig({ MILEPOST_SECRET: 'ü'.repeat(16) }).secret).toEqual(['ü'.repeat(16)])
  })
})
