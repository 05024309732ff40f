import { describe, expect, test } from 'bun:test'
import { Webhook } from 'standardwebhooks'
import type { AuditList } from '../../../shared/wire/api.ts'
import type { UndeliveredList } from '../../../shared/wire/webhooks.ts'
import { ApiClient, unique } from '../../support/api-client.ts'
import { accessToken } from '../../support/tokens.ts'
import type { ReceivedWebhook, WebhookReceiver } from '../../support/webhook-receiver.ts'
import type { RuntimeSubject } from './runtime.ts'

const ADMIN = 'jobs:admin jobs:read jobs:write'

/** Webhooks: who is told of a job's end, by which signature, and what becomes of those that nobody takes. */
export function describeWebhooks(subject: RuntimeSubject, receiver: WebhookReceiver): void {
  const client = async (tenant: string | undefined, sub: string, scope?: string) =>
    new ApiClient(subject.server.url, await accessToken(sub, scope, { tenant }))
  const secretOf = async (who: ApiClient, query = '') =>
    (await who.json<{ secret: string }>(200, 'GET', `api/webhooks/secret${query}`)).secret
  /** What a webhook says, by the library of Standard Webhooks. @throws Error for a signature by another secret */
  const verified = (secret: string, { body, headers }: ReceivedWebhook) => new Webhook(secret).verify(body, headers)
  const undelivered = async (who: ApiClient, job: string): Promise<UndeliveredList['undelivered'][number]> => {
    for (;;) {
      const list = await who.json<UndeliveredList>(200, 'GET', 'api/webhooks/undelivered')
      const found = list.undelivered.find((letter) => letter.job === job)
      if (found) return found
      await Bun.sleep(50)
    }
  }

  describe('webhooks', () => {
    test('a job tells the URLs of its notify that it has ended, signed by the secret of its creator, and shows them to nobody', async () => {
      const [ada, eve] = await Promise.all([subject.client(unique('ada')), subject.client(unique('eve'))])
      const path = `/${unique('told')}`
      const notify = [receiver.url(path), receiver.url(`${path}-too`)]
      const job = await ada.create({ notify, metadata: { private: 1 } })
      const end = { type: 'status', status: 'completed', message: 'Done', result: { private: 2 } } as const
      const { version } = await ada.publish(job.id, end)
      const [told, too] = await Promise.all(notify.map(async (url) => (await receiver.at(new URL(url).pathname))[0]))
      if (!told || !too) throw new Error('Nothing came')
      const secret = await secretOf(ada)
      expect(secret).toMatch(/^whsec_[\w+/]{43}=$/)
      const { metadata: _, steps: _s, items: _i, errors: _e, logs: _l, ...header } = job
      expect(verified(secret, told)).toEqual({
        apiVersion: 1,
        type: 'job.completed',
        timestamp: expect.any(String),
        data: {
          job: {
            ...header,
            ...{ version, status: 'completed', message: 'Done', updatedAt: expect.any(String) },
            ...{ lastEventAt: expect.any(String), endedAt: expect.any(String), expiresAt: expect.any(String) },
          },
        },
      })
      expect(verified(secret, too)).toEqual(verified(secret, told))
      expect(too.headers['webhook-id']).not.toBe(told.headers['webhook-id'] as string)
      expect(told.headers['content-type']).toBe('application/json')
      const others = await secretOf(eve)
      expect(() => verified(others, told)).toThrow()
      expect(JSON.stringify([job, await ada.read(job.id)])).not.toContain(path)
    })

    test('a job tells its receivers what it asks its owner', async () => {
      const ada = await subject.client(unique('ada'))
      const path = `/${unique('asked')}`
      const { id } = await ada.create({ notify: [receiver.url(path)] })
      await ada.publish(
        id,
        { type: 'status', status: 'running' },
        { type: 'ask', id: 'go', message: 'Delete 12 rows?' },
      )
      const [told] = await receiver.at(path)
      if (!told) throw new Error('Nothing came')
      expect(verified(await secretOf(ada), told)).toMatchObject({
        type: 'job.asked',
        data: { job: { id, status: 'running' }, ask: { id: 'go', message: 'Delete 12 rows?' } },
      })
    })

    test('a webhook of a tenant has the names of the tenant, and the secret of its creator there', async () => {
      const [sub, tenant] = [unique('ada'), unique('acme')]
      const [ada, namesake] = await Promise.all([client(tenant, sub), client(undefined, sub)])
      const path = `/${unique('tenant')}`
      const { id } = await ada.create({ notify: [receiver.url(path)] })
      await ada.operate(id, 'cancel')
      const [told] = await receiver.at(path)
      if (!told) throw new Error('Nothing came')
      expect(verified(await secretOf(ada), told)).toMatchObject({
        type: 'job.cancelled',
        data: { job: { id, owner: sub, createdBy: sub } },
      })
      const others = await secretOf(namesake)
      expect(() => verified(others, told)).toThrow()
    })

    test('a receiver that answers 410 gets no more; administrators of its tenant see that, and send again', async () => {
      const [sub, tenant] = [unique('ada'), unique('acme')]
      const ada = await client(tenant, sub)
      const path = `/${unique('gone')}`
      receiver.answer = (request) => (request.path === path ? 410 : 204)
      const { id, epoch } = await ada.create({ notify: [receiver.url(path)] })
      const { version } = await ada.publish(id, { type: 'status', status: 'failed', message: 'Disk full' })
      const [admin, other, root] = await Promise.all([
        client(tenant, unique('admin'), ADMIN),
        client(unique('umbra'), unique('admin'), ADMIN),
        client(undefined, unique('admin'), ADMIN),
      ])
      const letter = await undelivered(admin, id)
      const event = { job: id, epoch, version, type: 'job.failed', url: receiver.url(path) }
      expect(letter).toMatchObject({ ...event, tries: 1, reason: 'status 410' })
      expect(await undelivered(root, `${tenant}::${id}`)).toEqual({ ...letter, job: `${tenant}::${id}` })
      const list = await other.json<UndeliveredList>(200, 'GET', 'api/webhooks/undelivered')
      expect(list.undelivered).toEqual([])

      const send = `api/webhooks/undelivered/${letter.id}/send`
      expect((await ada.refusal('GET', 'api/webhooks/undelivered')).status).toBe(403)
      expect((await ada.refusal('POST', send)).status).toBe(403)
      expect((await other.refusal('POST', send)).status).toBe(404)
      expect((await admin.refusal('POST', 'api/webhooks/undelivered/of-nobody/send')).status).toBe(404)
      receiver.answer = () => 204
      expect((await admin.request('POST', send)).status).toBe(202)
      const [first, second] = await receiver.at(path, 2)
      expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'] as string)
      expect(second?.body).toBe(first?.body as string)
      expect((await admin.refusal('POST', send)).status).toBe(404)
      for (;;) {
        const { records } = await root.json<AuditList>(200, 'GET', 'api/audit?action=webhook-resent')
        if (records.some(({ job }) => job === `${tenant}::${id}`)) break
        await Bun.sleep(20)
      }
    })

    test('the URLs of the settings are told of every job, with full names, by a secret that only administrators of the server get', async () => {
      const [root, ada] = await Promise.all([
        subject.strictClient(unique('root'), ADMIN),
        subject.strictClient(unique('ada')),
      ])
      const { id } = await ada.create()
      await ada.operate(id, 'cancel')
      const secret = await secretOf(root, '?of=server')
      const isOf = ({ body }: ReceivedWebhook) => body.includes(`"${id}"`)
      let count = 1
      while (!receiver.received.some((one) => one.path === '/all' && isOf(one))) {
        count = (await receiver.at('/all', count)).length + 1
      }
      const told = receiver.received.find((one) => one.path === '/all' && isOf(one))
      expect(told && verified(secret, told)).toMatchObject({ type: 'job.cancelled', data: { job: { id } } })
      expect((await ada.refusal('GET', 'api/webhooks/secret?of=server')).status).toBe(403)
      const tenants = new ApiClient(subject.strict.url, await accessToken('root', ADMIN, { tenant: 'acme' }))
      expect((await tenants.refusal('GET', 'api/webhooks/secret?of=server')).status).toBe(403)
      expect((await tenants.refusal('GET', 'api/webhooks/secret?of=me')).fields).toEqual(['of'])
    })

    test('a notify is refused that is not of 1 to 5 URLs to which the server may send', async () => {
      const ada = await subject.client(unique('ada'))
      const refused = async (...notify: string[]) =>
        (await ada.refusal('POST', 'api/jobs', { kind: 'test', title: 'Test', notify })).fields
      const good = 'https://receiver.example/hook?token=1'
      expect(await refused()).toEqual(['notify'])
      expect(await refused(...Array.from({ length: 6 }, (_, n) => `${good}${n}`))).toEqual(['notify'])
      for (const url of [
        ...['nowhere', 'ftp://receiver.example/', 'https://ada:secret@receiver.example/', `${good}#there`],
        ...[
          'http://10.0.0.7/',
          'https://10.0.0.7/',
          'https://192.168.1.1/',
          'https://169.254.169.254/latest/meta-data/',
        ],
        ...[
          'https://0x0a000007/',
          'https://[::1]/',
          'https://[::ffff:10.0.0.7]/',
          'https://[fd00::1]/',
          'https://[64:ff9b::a00:7]/',
        ],
        ...['http://8.8.8.8/', `${good}${'x'.repeat(1_024)}`],
      ]) {
        expect([url, await refused(good, url)]).toEqual([url, ['notify.1']])
      }
      expect((await ada.create({ notify: [good] })).status).toBe('pending')
    })
  })
}
