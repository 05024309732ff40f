import { beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SqliteEngine } from '../../../../server/engines/sqlite/engine.ts'
import type { JobEvent } from '../../../../shared/document/events.ts'
import { cutPower } from '../cuts.ts'
import { DATABASE, missing, type Recording, record, SCRATCH } from '../recording.ts'
import { lineOf, parseLine, type Said } from '../workload/said.ts'
import { batchOf, jobOf } from '../workload/script.ts'
import { check } from './check.ts'
import { History } from './history.ts'
import { Known } from './known.ts'

const JOB = 'mixed-a'
const EPOCH = 'r1n1'
const SENT = { job: JOB, epoch: EPOCH, from: 1, run: 1 }

/** Has an engine do something, and checks the files that it leaves against what was said. */
async function checkAfter(work: (engine: SqliteEngine) => Promise<unknown>, said: Said[]): Promise<void> {
  const folder = await mkdtemp(join(SCRATCH, 'milepost-check-'))
  try {
    const engine = await SqliteEngine.open(join(folder, DATABASE))
    await work(engine)
    await engine.close()
    const known = new Known(new History())
    for (const one of said) known.take(parseLine(lineOf(one)))
    await check(folder, known, [JOB])
  } finally {
    await rm(folder, { recursive: true })
  }
}

const { header } = jobOf(JOB, EPOCH)
const create: Said[] = [
  { say: 'create', job: JOB, epoch: EPOCH },
  { say: 'saw', how: 'answer', header },
]
const send: Said = { say: 'send', ...SENT, after: 1 }

describe('check', () => {
  const publish = async (engine: SqliteEngine, events: JobEvent[] = batchOf(SENT).events) => {
    await engine.create(jobOf(JOB, EPOCH))
    await engine.apply(JOB, { ...batchOf(SENT), events })
  }

  test('check finds nothing wrong with what was published, whether or not it was acknowledged', async () => {
    await checkAfter((engine) => engine.create(jobOf(JOB, EPOCH)), create)
    await checkAfter(publish, [...create, send])
    await checkAfter(async () => {}, [{ say: 'create', job: JOB, epoch: EPOCH }])
  })

  test('check finds a job and a removal that are lost', async () => {
    await expect(checkAfter(async () => {}, create)).rejects.toThrow('is lost')
    const gone: Said[] = [
      { say: 'remove', job: JOB, epoch: EPOCH },
      { say: 'gone', how: 'read', job: JOB, epoch: EPOCH },
    ]
    await expect(checkAfter(publish, [...create, send, ...gone])).rejects.toThrow('is back in the life r1n1')
  })

  test('check finds a batch that nobody published, part of one, and one with other events', async () => {
    const { events } = batchOf(SENT)
    expect(events.length).toBeGreaterThan(1)
    await expect(checkAfter(publish, create)).rejects.toThrow('never came to version')
    const part = checkAfter((engine) => publish(engine, events.slice(1)), [...create, send])
    await expect(part).rejects.toThrow('never came to version')
    const other = checkAfter(
      (engine) => publish(engine, [...events.slice(1), { type: 'log', message: 'another' }]),
      [...create, send],
    )
    await expect(other).rejects.toThrow()
  })

  test('check finds an idempotency key that is lost', async () => {
    const keyed = { ...SENT, from: 1 }
    const { key: _key, ...unkeyed } = batchOf(keyed)
    const sent = async (engine: SqliteEngine) => {
      await engine.create(jobOf(JOB, EPOCH))
      await engine.apply(JOB, unkeyed)
    }
    expect(batchOf(keyed).key).toBeDefined()
    await expect(checkAfter(sent, [...create, send])).rejects.toThrow('is not known')
  })

  test('Known finds a version that was seen as two things', () => {
    const known = new Known(new History())
    for (const said of create) known.take(said)
    expect(() => known.take({ say: 'saw', how: 'told', header: { ...header, title: 'Another' } })).toThrow('and not')
  })
})

if (missing) test.skip(`cutPower (${missing})`, () => {})
else
  describe('cutPower', () => {
    let recording: Recording
    beforeAll(async () => {
      recording = await record([{ jobs: ['mixed-a', 'progress-c'], batches: 60 }])
    })

    test.each(['-wal', ''])('cutPower finds it when the syncs of files that end in "%s" are left out', async (end) => {
      const ignoresSyncOf = (path: string) => path.endsWith(end)
      const violations = await cutPower(recording, { images: 30, seed: 1, ignoresSyncOf })
      expect(violations.filter(({ message }) => message.includes('someone knew of')).length).toBeGreaterThan(5)
    })

    test('cutPower finds it when one sync of all fails and nobody takes note', async () => {
      const syncs = recording.traced.flatMap((one, index) => (one.kind === 'synced' ? index : []))
      const failed = syncs[syncs.length >> 1]
      const traced = recording.traced.map((one, index) => (index === failed ? { ...one, isDone: false } : one))
      const violations = await cutPower({ ...recording, traced }, { images: 60, seed: 1, leftover: 'nothing' })
      expect(violations).not.toEqual([])
    })
  })
