import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { RedisEngine } from '../../server/engines/redis/engine.ts'
import { created } from '../conformance/fixtures.ts'
import { ApiClient } from '../support/api-client.ts'
import { CertificateAuthority } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { onDeno } from '../support/on-deno.ts'
import { RedisSentinels } from '../support/redis-sentinels.ts'
import { RedisServer } from '../support/redis-server.ts'
import { onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** What the documents say that a user needs. */
const RIGHTS = ['~mp:*', '&mp:*', '+@all', '-@admin', '+info']

let authority: CertificateAuthority
const ports = { right: freePort(), wrong: freePort(), mutual: freePort() }
const servers: RedisServer[] = []

beforeAll(async () => {
  authority = await CertificateAuthority.create()
  const right = await authority.issue('right', 'DNS:localhost,IP:127.0.0.1')
  const wrong = await authority.issue('wrong', 'DNS:redis.example')
  const start = ({ certificate, key }: typeof right, port: number, clients: 'yes' | 'no') => {
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', authority.certificate]
    return RedisServer.start('--tls-port', `${port}`, '--tls-auth-clients', clients, ...files)
  }
  servers.push(await start(right, ports.right, 'no'), await start(wrong, ports.wrong, 'no'))
  servers.push(await start(right, ports.mutual, 'yes'))
  await servers[0]?.command('ACL', 'SETUSER', 'ada', 'reset', 'on', '>hu%sh', ...RIGHTS)
  await servers[0]?.command('ACL', 'SETUSER', 'default', 'off')
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await authority[Symbol.asyncDispose]()
})

describe.each([
  ['bun', onBun],
  ['deno', onDeno('sqlite')],
] as const)('a server on %s', (_, launch) => {
  const start = (engine: string, env: Record<string, string> = { NODE_EXTRA_CA_CERTS: authority.certificate }) =>
    ServerProcess.start({ MILEPOST_ENGINE: engine, ...env }, launch)
  const refusal = (...args: Parameters<typeof start>) => start(...args).catch(String)

  test('trusts a private authority of NODE_EXTRA_CA_CERTS, by name and by address, and needs the documented rights', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      await using server = await start(`rediss://ada:hu%25sh@${host}:${ports.right}`)
      const api = new ApiClient(server.url, await accessToken('ada'))
      const { id } = await api.create()
      const stream = await api.stream(`api/jobs/${id}/progress`)
      await stream.next()
      await api.publish(id, { type: 'item', id: 'a', status: 'running' }, { type: 'status', status: 'completed' })
      expect([(await stream.next())?.event, (await stream.next())?.event]).toEqual(['item', 'status'])
      expect((await api.request('DELETE', `api/jobs/${id}`)).status).toBe(204)
    }
  }, 120_000)

  test('refuses an unknown authority, another name, and a server that wants a certificate of it', async () => {
    const { right, wrong, mutual } = ports
    expect(await refusal(`rediss://ada:hu%25sh@localhost:${right}`, {})).toContain(
      `The certificate of localhost:${right} is of an unknown authority: set NODE_EXTRA_CA_CERTS to a file with the certificate of its CA.`,
    )
    for (const host of ['localhost', '127.0.0.1']) {
      expect(await refusal(`rediss://${host}:${wrong}`)).toContain(
        `The certificate of ${host}:${wrong} is for another name: write the host into MILEPOST_ENGINE as the certificate has it, or issue one that has this host.`,
      )
    }
    // On a busy machine Deno (2.9.5) tells of the alert twice, and the client of Redis listens once: the server ends all the same.
    expect(await refusal(`rediss://localhost:${mutual}`)).toMatch(
      /localhost:\d+ asks its clients for certificates, and Milepost has none: set tls-auth-clients no there, and a password\.|alert: CertificateRequired/,
    )
  }, 120_000)
})

test('Sentinels that want a password get that of the servers', async () => {
  await using group = await RedisSentinels.start()
  const { primary, replica, sentinels } = group
  const [sentinel] = sentinels as [RedisServer]
  await sentinel.command('SENTINEL', 'SET', 'jobs', 'auth-user', 'ada')
  await sentinel.command('SENTINEL', 'SET', 'jobs', 'auth-pass', 'hush')
  for (const server of [primary, replica])
    await server.command('ACL', 'SETUSER', 'ada', 'on', '>hush', '~*', '&*', '+@all')
  const withUser = group.setting.replace('//', '//ada:hush@')
  const works = async () => {
    const engine = await RedisEngine.open(withUser)
    await created(engine)
    await engine.close()
  }
  await works()
  await sentinel.command('ACL', 'SETUSER', 'ada', 'on', '>hush', '+ping', '+sentinel|get-master-addr-by-name')
  await sentinel.command('ACL', 'SETUSER', 'default', 'off')
  await works()
  const at = `127.0.0.1:${sentinel.port}`
  const refused = (setting: string) => RedisEngine.open(setting).catch(String)
  expect(await refused(group.setting)).toBe(`EngineOpenError: ${at} needs a password: redis://:PASSWORD@…`)
  expect(await refused(withUser.replace('hush', 'other'))).toBe(
    `EngineOpenError: ${at} refuses the user or the password of MILEPOST_ENGINE: correct them.`,
  )
}, 120_000)
