import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../server/config.ts'
import { formatCursor } from '../../shared/document/cursor.ts'
import type { AppliedEvent } from '../../shared/document/events.ts'
import type { Job, Patch } from '../../shared/document/job.ts'
import { LiveJob } from '../../shared/document/live-job.ts'
import { EventStreamParser } from '../event-stream-parser.ts'
import { missingNginx, Nginx } from '../support/nginx.ts'
import { RedisServer } from '../support/redis-server.ts'
import { onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'

interface Service {
  image: string
  command?: string[]
  environment?: Record<string, string>
  secrets?: string[]
  volumes?: string[]
  networks: { milepost: { ipv4_address: string } }
}

const compose = Bun.YAML.parse(await readFile('server/deploy/compose.yaml', 'utf8')) as {
  services: Record<string, Service>
  secrets: Record<string, { file: string }>
  volumes: Record<string, unknown>
}
const nginxConf = await readFile('server/deploy/nginx-nodes.conf', 'utf8')
const { valkey, proxy, ...rest } = compose.services
const nodes = Object.values(rest)
const addressOf = (service: Service | undefined) => service?.networks.milepost.ipv4_address ?? ''

describe('compose.yaml', () => {
  test('compose.yaml has three nodes, and the proxy knows them', () => {
    expect(nodes).toHaveLength(3)
    const upstreams = [...nginxConf.matchAll(/^ {2}server ([\d.]+):8787;$/gm)].map(([, address]) => address)
    expect(upstreams).toEqual(nodes.map(addressOf))
    for (const { environment } of nodes) expect(environment?.MILEPOST_TRUSTED_PROXIES).toBe(addressOf(proxy))
  })

  test('compose.yaml gives its services secrets as files, and nothing that is not there', () => {
    for (const { environment = {}, secrets = [], volumes = [], command = [] } of Object.values(compose.services)) {
      for (const secret of secrets) expect(compose.secrets[secret]?.file).toBe(`./secrets/${secret}`)
      const named = [...Object.values(environment), ...command].filter((text) => text.startsWith('/run/secrets/'))
      expect(named.map((path) => path.slice('/run/secrets/'.length)).sort()).toEqual(secrets.toSorted())
      for (const source of volumes.map((volume) => volume.split(':')[0] ?? ''))
        if (source.endsWith('.conf'))
          expect([source, existsSync(join('server/deploy', source))]).toEqual([source, true])
        else expect(source === './tls' || source in compose.volumes).toBe(true)
    }
    for (const { environment = {} } of nodes) {
      const { MILEPOST_ENGINE_FILE: _, MILEPOST_SECRET_FILE: __, ...others } = environment
      expect(readConfig(others)).toMatchObject({ acknowledge: 'disk', publicOrigin: 'https://progress.example.com' })
    }
  })

  test('nginx-nodes.conf is nginx.conf with other nodes, at the root', async () => {
    const essence = (text: string) =>
      text
        .slice(text.indexOf('# For the WebSockets'))
        .replace(/server_name .*;/, '')
        .replace('location /mp/', 'location /')
        .replace(/ {4}# A node that is gone.*\n {4}proxy_connect_timeout 2s;\n/, '')
    expect(essence(nginxConf)).toBe(essence(await readFile('server/deploy/nginx.conf', 'utf8')))
  })
})

const missing = missingNginx()
if (missing) console.log(`The nodes behind a proxy are not tested: ${missing}`)

describe.skipIf(missing !== undefined)('the nodes of compose.yaml behind their proxy', () => {
  let folder: string
  let redis: RedisServer
  let servers: ServerProcess[] = []
  let nginx: Nginx
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'milepost-compose-'))
    const password = 'only-for-tests'
    const at = (path: string) => (path.startsWith('/run/secrets/') ? join(folder, path.slice(13)) : path)
    await writeFile(at('/run/secrets/valkey'), `requirepass ${password}\n`)
    const [, config = '', ...args] = valkey?.command ?? []
    // A folder of its own, and Redis in place of Valkey.
    const options = args.map((arg) => (arg === '/data' ? folder : arg))
    redis = await RedisServer.start('--include', at(config), ...options)
    await writeFile(at('/run/secrets/milepost-engine'), `redis://:${password}@127.0.0.1:${redis.port}\n`)
    await writeFile(at('/run/secrets/milepost-secret'), `${SECRET}\n`)
    servers = await Promise.all(
      nodes.map(({ environment = {} }) => {
        const entries = Object.entries(environment).map(([name, value]) => [name, at(value)])
        const { MILEPOST_PUBLIC_URL: _, ...settings } = Object.fromEntries(entries) as Record<string, string>
        const here = { MILEPOST_SECRET: '', MILEPOST_TRUSTED_PROXIES: '127.0.0.1' }
        return ServerProcess.start({ ...settings, ...here }, onBun)
      }),
    )
    nginx = await Nginx.start(
      servers[0]?.url ?? '',
      (text) =>
        nodes.reduce(
          (all, node, n) => all.replace(`${addressOf(node)}:8787`, new URL(servers[n]?.url ?? '').host),
          text,
        ),
      'nginx-nodes.conf',
    )
  }, 120_000)
  afterAll(async () => {
    await nginx?.[Symbol.asyncDispose]()
    for (const server of servers) await server[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const request = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    const headers = { authorization: `Bearer ${await accessToken('ada')}`, 'content-type': 'application/json', ...more }
    return nginx.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  }

  /** Repeats a publish with its key until it is acknowledged, as producers do. */
  const publish = async (id: string, done: number) => {
    for (;;) {
      const response = await request(
        'POST',
        `api/jobs/${id}/events`,
        { type: 'progress', done },
        { 'idempotency-key': `done-${done}` },
      )
      if (response.status === 200) return
      await response.body?.cancel()
      expect([502, 503, 504]).toContain(response.status)
    }
  }

  /** Follows a job through the proxy to a version, over as many streams as it takes. Counts snapshots. */
  const follow = async (id: string, version: number): Promise<{ job: Job; snapshots: number }> => {
    let live: LiveJob | undefined
    let snapshots = 0
    for (;;) {
      const since: Record<string, string> = live ? { 'last-event-id': formatCursor(live.job) } : {}
      const response = await request('GET', `api/jobs/${id}/progress`, undefined, since)
      const parser = new EventStreamParser()
      const reader = response.status === 200 ? response.body?.getReader() : undefined
      for (;;) {
        const { value, done } = (await reader?.read().catch(() => undefined)) ?? { done: true, value: undefined }
        if (done || !value) break
        parser.push(value)
        for (const { event, data } of parser.dispatched.splice(0)) {
          if (event === 'snapshot') {
            snapshots += 1
            live = new LiveJob(JSON.parse(data) as Job)
          } else if (event === 'patch') expect(live?.applyPatch(JSON.parse(data) as Patch)).toBe(true)
          else if (event === 'progress') expect(live?.applyEvent(JSON.parse(data) as AppliedEvent)).toBe(true)
        }
        if (live && live.job.version >= version) {
          await reader?.cancel()
          return { job: live.job, snapshots }
        }
      }
    }
  }

  test('any node serves any request, and watchers of a node that is killed go on at another', async () => {
    const job = (await (await request('POST', 'api/jobs', { kind: 'k', title: 't' })).json()) as Job
    const events = 60
    const watching = Array.from({ length: 9 }, () => follow(job.id, 1 + events))
    const streams = async () => {
      const token = await accessToken('root', 'jobs:admin')
      const texts = servers.map(async ({ url }) => {
        const response = await fetch(`${url}metrics`, { headers: { authorization: `Bearer ${token}` } })
        return Number(/^milepost_streams (\d+)$/m.exec(await response.text())?.[1])
      })
      return Promise.all(texts)
    }
    while ((await streams()).reduce((sum, count) => sum + count, 0) < watching.length) await Bun.sleep(20)
    for (const count of await streams()) expect(count).toBeGreaterThan(0)
    for (let done = 1; done <= events; done++) {
      if (done === 20) await servers[1]?.kill()
      if (done === 40) await servers[1]?.restart()
      await publish(job.id, done)
    }
    const stored = (await (await request('GET', `api/jobs/${job.id}`)).json()) as Job
    expect(stored).toMatchObject({ version: 1 + events, progress: { done: events } })
    for (const { job: seen, snapshots } of await Promise.all(watching)) {
      expect(seen).toEqual(stored)
      expect(snapshots).toBe(1)
    }
  }, 120_000)
})
