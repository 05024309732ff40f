import { describe, expect, test } from 'bun:test'
import type { Change, Engine } from '../../../server/jobs/engine.ts'
import { batchOf, created, newJob, type Subject, unique } from '../fixtures.ts'
import { openLog, replaced } from '../stream-log.ts'

/** An engine whose wake-ups say which job changed and no more, as those of large headers and of other processes do. */
const telling = (engine: Engine, isTold: (change: Change) => boolean, more: Partial<Engine> = {}): Engine =>
  replaced(engine, {
    ...more,
    watch: (target, wake, onLost) => engine.watch(target, (change) => isTold(change) && wake(bare(change)), onLost),
  })

const bare = ({ id, epoch, from, to, removed }: Change): Change =>
  removed ? { id, epoch, from, to, removed } : { id, epoch, from, to }

/** What the stream of an owner's jobs shows, over the real engine: its own jobs, whatever becomes of their ids. */
export function describeOwners(subject: Subject): void {
  describe("the stream of an owner's jobs", () => {
    test('a job that is another’s by the time it is read is not shown: the first owner is told that theirs is gone', async () => {
      const { engine } = subject
      const [id, owner] = [unique('job'), unique('owner')]
      await created(engine, { id, owner, epoch: 'e1' })
      let isRaced = false
      const raced = telling(engine, ({ removed }) => !removed, {
        async read(name) {
          if (!isRaced) {
            isRaced = true
            await engine.remove(id)
            await created(engine, { id, owner: unique('owner'), epoch: 'e2', title: 'Secret' })
          }
          return engine.read(name)
        },
      })
      const [log, hub] = await openLog(raced, (opening) => opening.openOwner(owner, undefined, { sub: owner }))
      await log.until(({ messages }) => messages.length === 1)
      await engine.apply(id, batchOf([{ type: 'progress', done: 1 }]))
      await log.until(({ messages }) => messages.length === 2)
      hub.close()
      expect(isRaced).toBe(true)
      expect(log.messages.map(({ event, data }) => [event, data.jobId, data.epoch, data.reason])).toEqual([
        ['snapshot', id, 'e1', undefined],
        ['end', id, undefined, 'deleted'],
      ])
    })

    test('ids that owners take from each other, over and over, show neither what the other has', async () => {
      const { engine } = subject
      const owners = [unique('owner'), unique('owner')]
      const ids = [unique('job'), unique('job')]
      const streams = await Promise.all(
        owners.map((owner) =>
          openLog(
            telling(engine, () => true),
            (hub) => hub.openOwner(owner, undefined, { sub: owner }),
          ),
        ),
      )
      const take = async (id: string, owner: string, index: number) => {
        for (let life = 0; life < 15; life++) {
          const job = newJob({ id, owner, createdBy: owner, epoch: `e${life}o${index}`, title: owner })
          await engine.create(job)
          await engine.apply(id, batchOf([{ type: 'progress', done: life }], { createdBy: owner }))
          await engine.remove(id)
        }
      }
      await Promise.all(ids.flatMap((id) => owners.map((owner, index) => take(id, owner, index))))
      for (const [index, [log, hub]] of streams.entries()) {
        const owner = owners[index] ?? ''
        const last = await created(engine, { owner, title: owner })
        await log.until(({ messages }) => messages.some(({ data }) => data.jobId === last.id))
        hub.close()
        const shown = log.messages.map(({ data }) => ({ owner, ...(data.job ?? data) }) as { owner: string })
        expect(shown.filter((header) => header.owner !== owner)).toEqual([])
      }
    })
  })
}
