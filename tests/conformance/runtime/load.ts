import { describe, expect, test } from 'bun:test'
import type { Job } from '../../../shared/document/job.ts'
import { parseEventStream } from '../../event-stream-parser.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { FoldedJob } from '../../support/folded-job.ts'
import { RawConnection } from '../../support/raw-connection.ts'
import { accessToken } from '../../support/tokens.ts'
import type { RuntimeSubject } from './runtime.ts'

const MIB = 1_024 * 1_024

/** Many readers, slow ones, and those that leave without a word. */
export function describeLoad(subject: RuntimeSubject): void {
  const gaugesOf = async (admin: ApiClient) => {
    const text = await (await admin.request('GET', 'metrics')).text()
    const gauge = (name: string) => Number(new RegExp(`^milepost_${name} (\\d+)$`, 'm').exec(text)?.[1])
    return { streams: gauge('streams'), channels: gauge('channels') }
  }

  /**
   * Asks until the server has let go of all but so many streams; the test's time-out says that it did not.
   *
   * @param write makes the server write to them: some runtimes notice only then that a reader has left
   */
  const untilLeft = async (admin: ApiClient, streams: number, write?: () => Promise<unknown>) => {
    for (;;) {
      const gauges = await gaugesOf(admin)
      if (gauges.streams <= streams) return gauges
      await write?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  describe('readers that leave', () => {
    test('readers that leave are noticed, however they leave', async () => {
      const ada = await subject.client('leaver')
      const admin = await subject.client('root', 'jobs:admin')
      const { id } = await ada.create()
      const before = await untilLeft(admin, 0)
      const authorization = `Bearer ${await accessToken('leaver')}`
      const raw = await RawConnection.open(subject.server.url)
      await raw.get(`/api/jobs/${id}/progress`, { authorization })
      const streams = [await ada.stream('api/progress'), await ada.stream(`api/progress?job=${id}`)]
      for (const stream of streams) await stream.next()
      expect(await gaugesOf(admin)).toEqual({ streams: before.streams + 3, channels: before.channels + 2 })
      expect((await ada.publish(id, { type: 'progress', done: 1 })).watched).toBe(true)
      raw.destroy()
      for (const stream of streams) await stream.close()
      const write = () => ada.publish(id, { type: 'progress', done: 1 })
      expect(await untilLeft(admin, before.streams, write)).toEqual(before)
      // Who left from afar is forgotten soon, if not at once.
      while ((await write()).watched) {}
    }, 180_000)

    test('streams that are opened and dropped by the thousand leave nothing behind', async () => {
      const ada = await subject.client('dropper')
      const admin = await subject.client('root', 'jobs:admin')
      const ids = [(await ada.create()).id, (await ada.create()).id]
      const before = await untilLeft(admin, 0)
      const authorization = `Bearer ${await accessToken('dropper')}`
      const paths = [
        `/api/jobs/${ids[0]}/progress`,
        `/api/jobs/${ids[1]}/progress?parts=header`,
        `/api/progress?job=${ids[0]}&job=${ids[1]}`,
        '/api/progress',
      ]
      const write = () => Promise.all(ids.map((id) => ada.publish(id, { type: 'progress', done: 1 })))
      let residentBefore = 0
      for (let wave = 0; wave < 10; wave++) {
        const connections = await Promise.all(
          Array.from({ length: subject.traits.connectionsAtOnce ?? 200 }, async (_, n) => {
            const connection = await RawConnection.open(subject.server.url)
            await connection.get(paths[n % paths.length] ?? '', { authorization })
            return connection
          }),
        )
        for (const connection of connections) expect(connection.text).toStartWith('HTTP/1.1 200')
        for (const connection of connections) connection.destroy()
        expect(await untilLeft(admin, before.streams, write)).toEqual(before)
        // By then the heap of the runtime has the size that so many at once need.
        if (wave === 4) residentBefore = await subject.server.residentBytes()
      }
      const grown = (await subject.server.residentBytes()) - residentBefore
      expect(grown).toBeLessThan(80 * MIB)
    }, 180_000)
  })

  describe('a reader that stops reading', () => {
    test('a reader that stops reading costs the server no memory, and is sent one merged patch when it reads again', async () => {
      const ada = await subject.strictClient('stalled')
      const { id } = await ada.create()
      const result = 'x'.repeat(2_000)
      // Each as somebody of its own: the limit of streams is one principal's.
      const open = async (n: number) => {
        const connection = await RawConnection.open(subject.strict.url)
        const authorization = `Bearer ${await accessToken(`admin-${n}`, 'jobs:admin')}`
        await connection.get(`/api/jobs/${id}/progress`, { authorization })
        await connection.receiveBody(/event: snapshot\n.*\n.*\n\n/)
        return connection
      }
      const [quick, ...stalled] = await Promise.all(Array.from({ length: 11 }, (_, n) => open(n)))
      for (const connection of stalled) connection.stall()
      let before = 0
      let version = 1
      // Each frame is a patch with 1 KiB of header and a result of 60 KiB: 100 frames would be 6 MiB a reader.
      const size = 10
      for (let batch = 0; batch < 200; batch++) {
        const events = Array.from(
          { length: size - 1 },
          (_, n) => ({ type: 'progress', done: batch * size + n }) as const,
        )
        const last = { type: 'status', status: 'running', result: `${batch}${result.repeat(30)}` } as const
        version = (await ada.publish(id, ...events, last)).version
        // By then the heap of the runtime has the size that such a job needs.
        if (batch === 39) before = await subject.strict.residentBytes()
      }
      expect(version).toBe(1 + 200 * size)
      // Unread, 160 frames of 60 KiB for 10 readers would be 94 MiB, of which the system buffers a part.
      expect((await subject.strict.residentBytes()) - before).toBeLessThan(65 * MIB)
      const document: Job = await ada.read(id)
      for (const connection of [quick, ...stalled]) {
        connection?.resume()
        await connection?.receiveBody(new RegExp(`"to":${version},[^\\n]*\\n\\n`))
        const messages = parseEventStream(connection?.body ?? '').dispatched
        const folded = new FoldedJob()
        for (const { event, data, lastEventId } of messages) folded.take({ event, lastEventId, data: JSON.parse(data) })
        expect(folded.job).toEqual(document)
        if (connection !== quick) {
          // On a busy machine a ping may come after it.
          const { from, to } = JSON.parse(messages.findLast(({ event }) => event === 'patch')?.data ?? '')
          // One patch made good for dozens of frames.
          expect(to - from).toBeGreaterThan(20 * size)
          expect(messages.length).toBeLessThan(180)
        }
        connection?.destroy()
      }
      await ada.publish(id, { type: 'status', status: 'completed' })
    }, 180_000)
  })
}
