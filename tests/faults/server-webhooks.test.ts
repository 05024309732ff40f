import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import { CertificateAuthority } from '../support/certificates.ts'
import { onDeno } from '../support/on-deno.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { WebhookReceiver } from '../support/webhook-receiver.ts'

const JOBS = 20

const launches: Record<string, Launch> = {
  Bun: onBun,
  'Deno with deno-kv': onDeno('deno-kv'),
}

let authority: CertificateAuthority
beforeAll(async () => {
  authority = await CertificateAuthority.create()
})
afterAll(() => authority[Symbol.asyncDispose]())

test.each(Object.entries(launches))(
  'a server on %s that is killed between a commit and the delivery of its webhook delivers it after its restart, over TLS',
  async (_, launch) => {
    const { certificate, key } = await authority.issue('localhost', 'DNS:localhost')
    await using receiver = new WebhookReceiver({ cert: Bun.file(certificate), key: Bun.file(key) })
    const { port } = new URL(receiver.url('/'))
    await using server = await ServerProcess.start(
      {
        MILEPOST_WEBHOOK_URLS: `https://localhost:${port}/hook?key=hidden`,
        NODE_EXTRA_CA_CERTS: authority.certificate,
        DENO_CERT: authority.certificate,
      },
      launch,
    )
    const root = `Bearer ${await accessToken('root', 'jobs:admin jobs:write')}`
    const headers = { authorization: root, 'content-type': 'application/json' }
    const call = (path: string, body: unknown) =>
      fetch(new URL(path, server.url), { method: 'POST', headers, body: JSON.stringify(body) })
    const acknowledged: string[] = []
    for (let count = 0; count < JOBS; count++) {
      const id = `job-${count}`
      await call('api/jobs', { id, kind: 'test', title: id })
      // At once after the last acknowledgement, so that none of its deliveries is done. Every second kill interrupts some that have begun.
      const ended = await call(`api/jobs/${id}/events`, { type: 'status', status: 'completed' })
      if (ended.ok) acknowledged.push(id)
      if (count % 5 !== 4) continue
      await server.kill('SIGKILL')
      await server.restart()
    }
    expect(acknowledged).toHaveLength(JOBS)
    const { secret } = (await (
      await fetch(new URL('api/webhooks/secret?of=server', server.url), { headers })
    ).json()) as { secret: string }
    const webhook = new Webhook(secret)
    const told = new Map<string, Set<string>>()
    for (let count = 1; told.size < JOBS; count++) {
      const one = (await receiver.at('/hook', count))[count - 1]
      if (!one) continue
      const { data } = webhook.verify(one.body, one.headers) as { data: { job: { id: string } } }
      const ids = told.get(data.job.id) ?? new Set()
      told.set(data.job.id, ids.add(one.headers['webhook-id'] ?? ''))
    }
    // A job may be told twice, under one id.
    for (const ids of told.values()) expect(ids.size).toBe(1)
    expect(server.output).not.toMatch(/whsec_|hidden|webhook.*error/i)
  },
  60_000,
)
