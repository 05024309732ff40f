import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { RedisEngine } from '../../../server/engines/redis/engine.ts'
import { created } from '../../conformance/fixtures.ts'
import { ApiClient } from '../../support/api-client.ts'
import { CertificateAuthority } from '../../support/certificates.ts'
import { freePort } from '../../support/free-port.ts'
import { onDeno } from '../../support/on-deno.ts'
import { RedisSentinels } from '../../support/redis-sentinels.ts'
import { RedisServer } from '../../support/redis-server.ts'
import { onBun, ServerProcess } from '../../support/server-process.ts'
import { accessToken } from '../../support/tokens.ts'

/** What the documents say that a user needs. */
const RIGHTS = ['~mp:*', '&mp:*', '+@all', '-@admin', '+info']

type Certificate = Awaited<ReturnType<CertificateAuthority['issue']>>

let authority: CertificateAuthority
let right: Certificate
const ports = { right: freePort(), wrong: freePort(), mutual: freePort() }
const servers: RedisServer[] = []

beforeAll(async () => {
  authority = await CertificateAuthority.create()
  right = await authority.issue('right', 'DNS:localhost,IP:127.0.0.1')
  const wrong = await authority.issue('wrong', 'DNS:redis.example')
  const start = (...options: Parameters<typeof tlsOptions>) => RedisServer.start(...tlsOptions(...options))
  servers.push(await start(right, ports.right, 'no'), await start(wrong, ports.wrong, 'no'))
  servers.push(await start(right, ports.mutual, 'yes'))
  await servers[0]?.command('ACL', 'SETUSER', 'ada', 'reset', 'on', '>hu%sh', ...RIGHTS)
  await servers[0]?.command('ACL', 'SETUSER', 'default', 'off')
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await authority[Symbol.asyncDispose]()
})

/** The options of a server with TLS. @param clients whether it wants certificates of them */
function tlsOptions({ certificate, key }: Certificate, port: number, clients: 'yes' | 'no'): string[] {
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', authority.certificate]
  return ['--tls-port', `${port}`, '--tls-auth-clients', clients, ...files]
}

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
  }, 60_000)

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
    expect(await refusal(`rediss://localhost:${mutual}`)).toContain(
      `localhost:${mutual} asks its clients for certificates, and Milepost has none: set tls-auth-clients no there, and a password.`,
    )
  }, 60_000)

  test('goes on when a Redis that began to want certificates no longer does', async () => {
    const [plain, port] = [freePort(), freePort()]
    const startRedis = (clients: 'yes' | 'no') => RedisServer.startAt(plain, ...tlsOptions(right, port, clients))
    const isReady = async () => (await fetch(new URL('readyz', server.url))).ok
    const before = await startRedis('no')
    await using server = await start(`rediss://localhost:${port}`)
    expect(await isReady()).toBe(true)
    await before[Symbol.asyncDispose]()
    const wanting = await startRedis('yes')
    // Whether the alert arrives before the client listens is a race.
    while (wanting.output.split('did not return a certificate').length < 6) await Bun.sleep(50)
    while (await isReady()) await Bun.sleep(50)
    await wanting[Symbol.asyncDispose]()
    await using _ = await startRedis('no')
    while (!(await isReady())) await Bun.sleep(50)
  }, 60_000)
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
}, 60_000)
