import { describe, expect, test } from 'bun:test'
import { unique } from '../../support/api-client.ts'
import { FoldedJob } from '../../support/folded-job.ts'
import type { RuntimeSubject } from './runtime.ts'

/** A watcher that comes back with what it has. */
export function describeResuming(subject: RuntimeSubject): void {
  describe('coming back to GET /api/jobs/:id/progress', () => {
    test('coming back with Last-Event-ID or ?since= brings one patch of what changed, and the header wins', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      for (let n = 0; n < 3; n++) await ada.publish(id, { type: 'log', message: `${n}` })
      const patchOf = async (query: string, headers: Record<string, string> = {}) => {
        await using stream = await ada.stream(`api/jobs/${id}/progress${query}`, headers)
        const message = await stream.next()
        return [message?.event, message?.data.from, message?.lastEventId]
      }
      const last = (version: number) => ({ 'last-event-id': `${epoch}-${version}` })
      expect(await patchOf('', last(2))).toEqual(['patch', 2, `${epoch}-4`])
      expect(await patchOf(`?since=${epoch}-3`)).toEqual(['patch', 3, `${epoch}-4`])
      expect(await patchOf(`?since=${epoch}-1`, last(3))).toEqual(['patch', 3, `${epoch}-4`])
      expect(await patchOf(`?since=${epoch}-1`, { 'last-event-id': 'nonsense' })).toEqual([
        'snapshot',
        undefined,
        `${epoch}-4`,
      ])
    })

    test('coming back with all that there is brings what comes next, and nothing before', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await using stream = await ada.stream(`api/jobs/${id}/progress?since=${epoch}-1`)
      await ada.publish(id, { type: 'log', message: 'next' })
      const next = await stream.next()
      expect([next?.event, next?.lastEventId]).toEqual([next?.event === 'log' ? 'log' : 'patch', `${epoch}-2`])
    })

    test('coming back with a cursor that is stale, malformed or ahead brings the whole document', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      const cursors = [
        'other-1',
        `${epoch}-2`,
        `${epoch}-0`,
        `${epoch}-01`,
        `${epoch}-1e0`,
        'e-1e3',
        `${epoch}`,
        '-1',
        `${epoch}--1`,
      ]
      for (const cursor of [...cursors, `${epoch}-99999999999999999999`, `${epoch.toUpperCase()}-1`, ' ', '1']) {
        for (const [query, headers] of [
          [`?since=${encodeURIComponent(cursor)}`, {}],
          ['', { 'last-event-id': cursor }],
        ] as const) {
          await using stream = await ada.stream(`api/jobs/${id}/progress${query}`, headers)
          expect([cursor, (await stream.next())?.event]).toEqual([cursor, 'snapshot'])
        }
      }
    })

    test('coming back to an id that was made again brings the whole of the new job', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create({ id: unique('again') })
      await ada.request('DELETE', `api/jobs/${id}`)
      const again = await ada.create({ id })
      await using stream = await ada.stream(`api/jobs/${id}/progress`, { 'last-event-id': `${epoch}-1` })
      const message = await stream.next()
      expect([message?.event, message?.lastEventId]).toEqual(['snapshot', `${again.epoch}-1`])
    })

    test('coming back at the final version is 204, which stops an EventSource', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      await ada.publish(id, { type: 'progress', done: 1 }, { type: 'status', status: 'completed' })
      const headers = { 'last-event-id': `${epoch}-3` }
      for (const response of [
        await ada.request('GET', `api/jobs/${id}/progress`, undefined, headers),
        await ada.request('GET', `api/jobs/${id}/progress?since=${epoch}-3`),
        await ada.request('HEAD', `api/jobs/${id}/progress?since=${epoch}-3`),
      ])
        expect([response.status, await response.text()]).toEqual([204, ''])
      await using stream = await ada.stream(`api/jobs/${id}/progress?since=${epoch}-2`)
      expect((await stream.rest()).map(({ event }) => event)).toEqual(['patch', 'end'])
    })

    test('coming back after any number of cuts comes to the very document', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      const folded = new FoldedJob()
      let cursor = `${epoch}-0`
      for (let round = 0; round < 10; round++) {
        await using stream = await ada.stream(`api/jobs/${id}/progress?since=${cursor}`)
        const events = Array.from(
          { length: 1 + (round % 4) * 5 },
          (_, n) => ({ type: 'item', id: `${n}`, label: `${round}` }) as const,
        )
        const { version } = await ada.publish(id, ...events)
        // In every other round it is cut after the first message.
        const isCut = round % 2 === 1
        const messages = await stream.until(({ lastEventId }) => isCut || lastEventId === `${epoch}-${version}`)
        for (const message of messages) folded.take(message)
        cursor = messages.at(-1)?.lastEventId ?? ''
      }
      await ada.publish(id, { type: 'status', status: 'completed' })
      await using last = await ada.stream(`api/jobs/${id}/progress?since=${cursor}`)
      for (const message of await last.rest()) folded.take(message)
      expect(folded.job).toEqual(await ada.read(id))
    })
  })

  describe('a document over 256 KiB', () => {
    test('a document over 256 KiB comes in pages, and a connection cut between them goes on from the last', async () => {
      const ada = await subject.client('ada')
      const { id, epoch } = await ada.create()
      const message = 'x'.repeat(4_000)
      for (let batch = 0; batch < 8; batch++) {
        const items = Array.from(
          { length: 25 },
          (_, n) => ({ type: 'item', id: `${batch * 25 + n}`, message }) as const,
        )
        await ada.publish(id, ...items)
      }
      // Changed again: it comes in the page of its newest version.
      await ada.publish(id, { type: 'item', id: '0', status: 'running' })
      const folded = new FoldedJob()
      let cursor = ''
      let pages = 0
      for (let isComplete = false; !isComplete; pages++) {
        await using stream = await ada.stream(`api/jobs/${id}/progress`, cursor ? { 'last-event-id': cursor } : {})
        const page = await stream.next()
        if (!page) throw new Error('No page came')
        expect(page.event).toBe(cursor ? 'patch' : 'snapshot')
        expect(JSON.stringify(page.data).length).toBeLessThan(300_000)
        if (cursor) expect(`${epoch}-${page.data.from}`).toBe(cursor)
        folded.take(page)
        cursor = page.lastEventId
        isComplete = page.data.more !== true
      }
      expect(pages).toBe(4)
      expect(cursor).toBe(`${epoch}-202`)
      expect(folded.job).toEqual(await ada.read(id))
      await using whole = await ada.stream(`api/jobs/${id}/progress`)
      const messages = await whole.take(4)
      expect(messages.map(({ event, data }) => [event, data.more])).toEqual([
        ['snapshot', true],
        ['patch', true],
        ['patch', true],
        ['patch', undefined],
      ])
    })
  })
}
