import { describe, expect, test } from 'bun:test'
import { settle } from '../../../virtual-clock.ts'
import { progress, setUpTwo as setUp } from './test-hub.ts'

describe('a removal', () => {
  test('a removal ends the stream of a job, with its reason', async () => {
    const hub = await setUp()
    const reader = await hub.follow()
    await hub.engine.remove('job-1')
    await settle()
    expect([reader.takeMessages(), reader.isClosed]).toEqual([['end deleted'], true])
  })

  test('a removal after the retention sends end with the reason expired', async () => {
    const hub = await setUp()
    await hub.engine.apply('job-1', {
      events: [{ type: 'status', status: 'completed' }],
      at: hub.now,
      retentionSeconds: 60,
    })
    const followed = [{ id: 'job-1', cursor: { epoch: 'e1', version: 1 } }, { id: 'job-2' }]
    const slow = await hub.open(async (hub) => hub.openJobs(followed, { sub: 'ada' }))
    expect(slow.takeMessages()).toEqual(['patch job-1 e1-2', 'end job-1 completed', 'snapshot job-2 e1-1'])
    const held = hub.hold('changesSince')
    const late = await hub.open((hub) => hub.openJob('job-1', 'all', undefined, { sub: 'ada' }))
    late.take()
    await hub.clock.advance(60_000)
    await hub.engine.remove('job-1')
    await settle()
    expect(late.takeMessages()).toEqual(['end expired'])
    await held()
    expect(late.isClosed).toBe(true)
  })

  test('a removal ends one job on a stream of several, and the stream goes on', async () => {
    const hub = await setUp()
    const jobs = [{ id: 'job-1' }, { id: 'job-2' }, { id: 'gone', gone: true }]
    const reader = await hub.open((hub) => hub.openJobs(jobs, { sub: 'ada' }))
    expect(reader.takeMessages()).toEqual(['end gone deleted', 'snapshot job-1 e1-1', 'snapshot job-2 e1-1'])
    await hub.engine.remove('job-1')
    await settle()
    expect([reader.takeMessages(), reader.isClosed]).toEqual([['end job-1 deleted'], false])
    await hub.apply('job-2', { type: 'status', status: 'failed' })
    expect([reader.takeMessages(), reader.isClosed]).toEqual([['status job-2 e1-2', 'end job-2 failed'], false])
    expect(hub.hub.open).toEqual({ streams: 1, channels: 0 })
    await hub.clock.advance(30_000)
    expect(reader.takeMessages()).toEqual(['ping'])
  })

  test('a removal whose wake-up was lost shows a follower without room nothing of the next epoch', async () => {
    const hub = await setUp()
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target, wake) => watch(target, (change) => change.removed || wake(change))
    const reader = await hub.follow()
    reader.hasRoom = false
    await hub.engine.remove('job-1')
    await hub.create({ epoch: 'e2' })
    await settle()
    // It has read, and the runtime has not said so yet.
    reader.hasRoom = true
    await hub.apply('job-1', progress(1))
    await hub.clock.advance(25)
    expect([reader.takeMessages(), reader.isClosed]).toEqual([[], true])
  })

  test('a removal of an earlier epoch does not end the next', async () => {
    const hub = await setUp()
    await hub.engine.remove('job-1')
    await settle()
    await hub.create({ epoch: 'e2' })
    let wake: Parameters<typeof hub.engine.watch>[1] | undefined
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target, given) => {
      wake = given
      return watch(target, given)
    }
    const reader = await hub.follow()
    wake?.({ id: 'job-1', epoch: 'e1', from: 4, to: 5, events: [] })
    wake?.({ id: 'job-1', epoch: 'e1', from: 5, to: 5, removed: true })
    await settle()
    await hub.apply('job-1', progress(1))
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(['progress e2-2'])
  })

  test('a removal ends the streams of its epoch, and those of the next start with it', async () => {
    const hub = await setUp()
    const former = await hub.follow()
    const several = await hub.open((hub) => hub.openJobs([{ id: 'job-1' }], { sub: 'ada' }))
    several.take()
    await hub.engine.remove('job-1')
    await settle()
    expect(former.takeMessages()).toEqual(['end deleted'])
    await hub.create({ epoch: 'e2' })
    const reader = await hub.follow()
    await hub.apply('job-1', progress(1))
    expect(reader.takeMessages()).toEqual(['progress e2-2'])
    expect(several.takeMessages()).toEqual(['end job-1 deleted'])
  })
})
