import { describe, expect, test } from 'bun:test'
import { unique } from '../../support/api-client.ts'
import type { Received } from '../../support/stream-reader.ts'
import type { RuntimeSubject } from './runtime.ts'

/** Messages as what they are, of which job, and where they take it. */
const told = (messages: (Received | undefined)[]) =>
  messages.map((message) => {
    if (!message) return 'nothing'
    const { jobId, reason, cursor } = message.data
    return `${message.event} ${jobId} ${reason ?? String(cursor).split('-')[1]}`
  })

/** Several jobs on one connection. */
export function describeManyJobs(subject: RuntimeSubject): void {
  describe('GET /api/progress?job=', () => {
    test('GET /api/progress?job= carries the jobs that it names, each message with its job and cursor, without ids', async () => {
      const ada = await subject.client('ada')
      const [a, b] = [await ada.create(), await ada.create()]
      await ada.publish(b.id, { type: 'item', id: 'i', status: 'running' })
      await using stream = await ada.stream(`api/progress?job=${a.id}&job=${b.id}`)
      expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
      const snapshots = await stream.take(2)
      expect(told(snapshots).sort()).toEqual([`snapshot ${a.id} 1`, `snapshot ${b.id} 2`].sort())
      await ada.publish(a.id, { type: 'error', message: 'E' })
      expect(await stream.next()).toMatchObject({
        event: 'job-error',
        lastEventId: '',
        data: { jobId: a.id, cursor: `${a.epoch}-2`, type: 'error', version: 2, message: 'E' },
      })
      const many = Array.from({ length: 9 }, (_, n) => ({ type: 'progress', done: n }) as const)
      await ada.publish(b.id, ...many)
      expect(told([await stream.next()])).toEqual([`patch ${b.id} 11`])
      expect(stream.text).toMatch(/^retry: [1-5]\d{3}\nevent: snapshot\ndata: \{"jobId":"/)
      expect(stream.text).not.toMatch(/^id:/m)
    })

    test('GET /api/progress?job=ID@CURSOR pays for what changed, and a cursor of no use brings the document', async () => {
      const ada = await subject.client('ada')
      const [a, b, c] = [await ada.create(), await ada.create(), await ada.create()]
      for (const { id } of [a, b, c]) await ada.publish(id, { type: 'log', message: 'L' })
      const query = [`${a.id}@${a.epoch}-1`, `${b.id}@${b.epoch}-2`, `${c.id}@${a.epoch}-1`].map((job) => `job=${job}`)
      await using stream = await ada.stream(`api/progress?${query.join('&')}`)
      const messages = await stream.take(2)
      expect(told(messages).sort()).toEqual([`patch ${a.id} 2`, `snapshot ${c.id} 2`].sort())
      await ada.publish(b.id, { type: 'log', message: 'L' })
      expect((await stream.next())?.data).toMatchObject({ jobId: b.id, cursor: `${b.epoch}-3` })
    })

    test('GET /api/progress?job= ends a job and not the stream', async () => {
      const ada = await subject.client('ada')
      const [a, b, c] = [await ada.create(), await ada.create(), await ada.create()]
      await using stream = await ada.stream(`api/progress?${[a, b, c].map(({ id }) => `job=${id}`).join('&')}`)
      await stream.take(3)
      await ada.publish(a.id, { type: 'status', status: 'completed' })
      expect(told(await stream.take(2))).toEqual([`status ${a.id} 2`, `end ${a.id} completed`])
      await ada.request('DELETE', `api/jobs/${b.id}`)
      expect(told(await stream.take(1))).toEqual([`end ${b.id} deleted`])
      await ada.publish(c.id, { type: 'progress', done: 1 })
      expect(told(await stream.take(1))).toEqual([`progress ${c.id} 2`])
    })

    test('GET /api/progress?job= tells of one that is not there, or not yours, as of one that is gone', async () => {
      const ada = await subject.client('ada')
      const theirs = await (await subject.client('eve')).create()
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/progress?job=none&job=${theirs.id}&job=${id}`)
      expect(told(await stream.take(3))).toEqual([`end none deleted`, `end ${theirs.id} deleted`, `snapshot ${id} 1`])
      for (const query of ['job=none', `job=${theirs.id}`, `job=none&job=${theirs.id}`, 'job=', 'job=@', 'job=a%2Fb'])
        expect(await ada.refusal('GET', `api/progress?${query}`)).toEqual({ status: 404, fields: [] })
    })

    test('GET /api/progress?job= takes 100 jobs, and no more', async () => {
      const ada = await subject.client('ada')
      const ids: string[] = []
      for (let n = 0; n < 100; n++) ids.push((await ada.create()).id)
      const query = ids.map((id) => `job=${id}`).join('&')
      await using stream = await ada.stream(`api/progress?${query}&parts=header`)
      expect(new Set((await stream.take(100)).map(({ data }) => data.jobId))).toEqual(new Set(ids))
      expect(await ada.refusal('GET', `api/progress?${query}&job=one-more`)).toEqual({ status: 422, fields: ['job'] })
    })

    test('GET /api/progress?job= in the header view sends headers alone', async () => {
      const ada = await subject.client('ada')
      const { id } = await ada.create()
      await using stream = await ada.stream(`api/progress?job=${id}&parts=header`)
      expect((await stream.next())?.data).not.toHaveProperty('items')
      await ada.publish(id, { type: 'item', id: 'a', status: 'running' })
      const patch = await stream.next()
      expect(Object.keys(patch?.data ?? {})).toEqual(['jobId', 'cursor', 'from', 'to', 'job'])
    })
  })

  describe('GET /api/progress', () => {
    test('GET /api/progress carries the principal’s live jobs, those that ended, and whatever is made or changes', async () => {
      const owner = unique('dashboard')
      const ada = await subject.client(owner)
      const [live, ended] = [await ada.create({ metadata: { a: 1 } }), await ada.create()]
      await ada.publish(ended.id, { type: 'status', status: 'failed' })
      await using stream = await ada.stream('api/progress')
      const first = await stream.take(3)
      expect(told(first)).toEqual([`snapshot ${live.id} 1`, `snapshot ${ended.id} 2`, `end ${ended.id} failed`])
      expect(first[0]?.data).toMatchObject({ cursor: `${live.epoch}-1`, metadata: { a: 1 } })
      expect(first[0]?.data).not.toHaveProperty('items')
      const made = await ada.create()
      expect(told([await stream.next()])).toEqual([`snapshot ${made.id} 1`])
      await ada.publish(live.id, { type: 'item', id: 'i', status: 'running' })
      const patch = await stream.next()
      expect(told([patch])).toEqual([`patch ${live.id} 2`])
      expect(Object.keys(patch?.data ?? {})).toEqual(['jobId', 'cursor', 'from', 'to', 'job'])
      // Those of others, made by whomever, are nothing to this stream.
      await (await subject.client('other')).create()
      await (await subject.client('backend', 'jobs:write jobs:assign')).create({ owner: 'somebody' })
      const theirs = await (await subject.client('creator', 'jobs:write jobs:assign')).create({ owner })
      expect(told([await stream.next()])).toEqual([`snapshot ${theirs.id} 1`])
      await ada.publish(live.id, { type: 'status', status: 'completed' })
      expect(told(await stream.take(2))).toEqual([`patch ${live.id} 3`, `end ${live.id} completed`])
      await ada.request('DELETE', `api/jobs/${made.id}`)
      expect(told(await stream.take(1))).toEqual([`end ${made.id} deleted`])
      expect(stream.text).not.toMatch(/^id:/m)
    })

    test('GET /api/progress loses no job that is made while it begins', async () => {
      const ada = await subject.client(unique('racer'))
      const [stream, ...made] = await Promise.all([
        ada.stream('api/progress'),
        ...Array.from({ length: 20 }, () => ada.create()),
      ])
      const ids = new Set(made.map(({ id }) => id))
      const seen = (await stream.take(20)).map(({ data }) => String(data.jobId))
      expect(new Set(seen)).toEqual(ids)
      await stream.close()
    })

    test('GET /api/progress?owner= carries the jobs of anyone by name, and of everyone, for jobs:admin alone', async () => {
      const owner = unique('followed')
      const ada = await subject.client(owner)
      const root = await subject.client('root', 'jobs:admin')
      const { id } = await ada.create()
      for (const query of ['owner=*', `owner=${owner}`]) {
        expect(await ada.refusal('GET', `api/progress?${query}`)).toEqual({ status: 403, fields: ['owner'] })
      }
      for (const query of [`owner=${owner}&job=${id}`, 'owner=']) {
        expect(await root.refusal('GET', `api/progress?${query}`)).toEqual({ status: 422, fields: ['owner'] })
      }
      await using named = await root.stream(`api/progress?owner=${owner}`)
      expect(told([await named.next()])).toEqual([`snapshot ${id} 1`])
      if (subject.traits.knowsOwnersOnly) {
        expect(await root.refusal('GET', 'api/progress?owner=*')).toEqual({ status: 422, fields: ['owner'] })
        return
      }
      // Those of other tests are everyone's too.
      await using everyone = await root.stream('api/progress?owner=*')
      await using children = await root.stream(`api/progress?owner=*&parent=${id}`)
      const until = async (wanted: string) => {
        for (;;) if (told([await everyone.next()])[0] === wanted) return
      }
      await until(`snapshot ${id} 1`)
      const child = await (await subject.client(unique('other'))).create({ parentId: id })
      expect(told([await children.next()])).toEqual([`snapshot ${child.id} 1`])
      await until(`snapshot ${child.id} 1`)
      expect((await ada.publish(id, { type: 'status', status: 'failed' })).watched).toBe(true)
      await until(`end ${id} failed`)
    })

    test('GET /api/progress?parent= carries the children of a job', async () => {
      const ada = await subject.client(unique('parent'))
      const parent = await ada.create()
      const first = await ada.create({ parentId: parent.id })
      await using stream = await ada.stream(`api/progress?parent=${parent.id}`)
      expect(told([await stream.next()])).toEqual([`snapshot ${first.id} 1`])
      await ada.create()
      await ada.publish(parent.id, { type: 'progress', done: 1 })
      const second = await ada.create({ parentId: parent.id })
      expect(told([await stream.next()])).toEqual([`snapshot ${second.id} 1`])
      expect((await ada.publish(first.id, { type: 'progress', done: 1 })).version).toBe(2)
      expect(told([await stream.next()])).toEqual([`patch ${first.id} 2`])
      // Who watches from afar is heard of soon, if not at once; the test's time-out says that it was never.
      while (!(await ada.publish(first.id, { type: 'progress', done: 1 })).watched) {}
      expect(await ada.refusal('GET', 'api/progress?parent=a%2Fb')).toEqual({ status: 422, fields: ['parent'] })
    })
  })
}
