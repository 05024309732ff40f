import { describe, expect, test } from 'bun:test'
import type { Delivery, DeliveryChange } from '../../../server/jobs/background/deliveries.ts'
import { batchOf, documentOf, newJob, refusal, type Subject, taken, unique } from '../fixtures.ts'

/** Later than any test runs: engines with alarms deliver what is due by themselves. */
const AT = '2200-01-01T00:00:00.000Z'
const at = Date.parse(AT)
const OF_JOB = 'https://job.example/'
const OF_SERVER = 'https://server.example/'
const end = { type: 'status', status: 'completed' } as const

/** How deliveries of webhooks are stored: in the commit of the event that causes them. */
export function describeWebhookMarks(subject: Subject): void {
  const create = async (notify?: string[], timeoutSeconds?: number) => {
    const job = newJob({ id: unique('told'), ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) })
    const marks = notify ? { ...job.marks, notify } : job.marks
    expect(await subject.engine.create({ ...job, marks })).toMatchObject({ created: true })
    return job.header
  }
  const deliveriesOf = async (id: string) => (await subject.engine.read(id))?.marks.deliveries
  const deliver = (id: string, delivery: DeliveryChange) =>
    subject.engine.apply(id, batchOf([], { at: AT, decide: { delivery } }))
  const finish = (id: string, more = {}) =>
    subject.engine.apply(id, batchOf([end], { at: AT, retentionSeconds: 9, ...more }))

  describe('webhooks', () => {
    test('apply stores a delivery for each URL of the job and of the settings, in the commit of its end', async () => {
      const { engine } = subject
      const { id } = await create([OF_JOB, OF_SERVER])
      taken(await engine.apply(id, batchOf([{ type: 'status', status: 'running' }], { webhookUrls: [OF_SERVER] })))
      expect(await deliveriesOf(id)).toBeUndefined()
      taken(await finish(id, { webhookUrls: [OF_SERVER] }))
      const event = { type: 'job.completed', version: 3, occurredAt: AT, at, tries: 0 } as const
      expect(await deliveriesOf(id)).toEqual([
        { url: OF_SERVER, ofServer: true, ...event },
        { url: OF_JOB, ...event },
      ])
      expect(JSON.stringify(await documentOf(engine, id)).includes('example')).toBe(false)
      const { id: untold } = await create()
      taken(await finish(untold))
      expect(await deliveriesOf(untold)).toBeUndefined()
    })

    test('apply changes a delivery for one of those who try at once, and leaves the document as it is', async () => {
      const { engine } = subject
      const { id } = await create([OF_JOB])
      taken(await finish(id))
      const before = await documentOf(engine, id)
      const [delivery] = (await deliveriesOf(id)) ?? []
      const claims = Array.from(
        { length: 5 },
        (_, n): Delivery => ({ ...(delivery as Delivery), tries: 1, at: at + n }),
      )
      const answers = await Promise.all(claims.map((to) => deliver(id, { from: delivery as Delivery, to })))
      expect(answers.map((answer) => 'repeat' in answer && answer.repeat).filter((repeat) => !repeat)).toEqual([false])
      const [claimed] = (await deliveriesOf(id)) ?? []
      expect(claims.filter((claim) => claim.at === claimed?.at)).toEqual([claimed as Delivery])
      expect(await documentOf(engine, id)).toEqual(before)
      taken(await deliver(id, { from: claimed as Delivery }))
      expect(await deliveriesOf(id)).toBeUndefined()
      expect(await deliver(id, { from: claimed as Delivery })).toMatchObject({ repeat: true })
      expect(await deliver(id, { to: delivery as Delivery })).toMatchObject({ repeat: false })
      expect(await deliver(id, { to: delivery as Delivery })).toMatchObject({ repeat: true })
      await engine.remove(id)
      expect(refusal(await deliver(id, { to: delivery as Delivery }))).toEqual({ status: 404, fields: [] })
    })

    test('apply sends nothing more to a URL that is gone', async () => {
      const { id } = await create([OF_JOB, `${OF_JOB}2`])
      taken(await finish(id))
      const [gone, other] = (await deliveriesOf(id)) ?? []
      taken(await deliver(id, { from: gone as Delivery, isGone: true }))
      const stored = await subject.engine.read(id)
      expect([stored?.marks.notify, stored?.marks.deliveries]).toEqual([[`${OF_JOB}2`], [other as Delivery]])
    })
  })
}
