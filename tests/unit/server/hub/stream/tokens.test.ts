import { describe, expect, test } from 'bun:test'
import { settle } from '../../../../virtual-clock.ts'
import { progress, TestHub } from '../test-hub.ts'

const cursor = { epoch: 'e1', version: 0 }
const guest = { sub: 'ada', jobs: ['job-1'], tokenSeries: 0 }

async function setUp(): Promise<TestHub> {
  const hub = new TestHub()
  await hub.create()
  return hub
}

const endTokens = (hub: TestHub) => hub.engine.apply('job-1', { events: [], at: hub.now, decide: 'end-tokens' })

describe('revoked tokens', () => {
  test('revoked tokens close the streams that were opened with them, and no others', async () => {
    const hub = await setUp()
    const stranger = await hub.open((hub) => hub.openJob('job-1', 'all', cursor, guest))
    const owner = await hub.follow()
    stranger.take()
    await endTokens(hub)
    await settle()
    expect([stranger.takeMessages(), stranger.isClosed]).toEqual([['end token-expired'], true])
    const next = await hub.open((hub) => hub.openJob('job-1', 'all', cursor, { ...guest, tokenSeries: 1 }))
    next.take()
    await hub.report('job-1', progress(1))
    await hub.clock.advance(25)
    expect([owner.takeMessages(), next.takeMessages()]).toEqual([['progress e1-2'], ['progress e1-2']])
  })

  test('revoked tokens close a stream of several jobs when no follower is left, and free its place in the limit', async () => {
    const hub = await setUp()
    await hub.create({ id: 'job-2' })
    const viewer = { sub: 'ada', jobs: ['job-1'] }
    const followed = [{ id: 'job-1', cursor, tokenSeries: 0 }]
    const alone = await hub.open((hub) => hub.openJobs(followed, viewer))
    const both = await hub.open((hub) => hub.openJobs([...followed, { id: 'job-2', cursor }], viewer))
    await endTokens(hub)
    await settle()
    expect([alone.takeMessages().at(-1), alone.isClosed]).toEqual(['end job-1 token-expired', true])
    expect([both.takeMessages().at(-1), both.isClosed]).toEqual(['end job-1 token-expired', false])
    expect(hub.hub.open.streams).toBe(1)
  })

  test('revoked tokens whose wake-up was lost close their streams at the next ping', async () => {
    const hub = await setUp()
    const watch = hub.engine.watch.bind(hub.engine)
    hub.engine.watch = (target) => watch(target, () => {})
    const stranger = await hub.open((hub) => hub.openJob('job-1', 'header', cursor, guest))
    stranger.take()
    await endTokens(hub)
    await hub.clock.advance(29_999)
    expect([stranger.takeMessages(), stranger.isClosed]).toEqual([[], false])
    await hub.clock.advance(1)
    expect([stranger.takeMessages().at(-1), stranger.isClosed]).toEqual(['end token-expired', true])
  })

  test('tokens revoked while a stream is being opened show nothing more', async () => {
    const hub = await setUp()
    // After the look at the job that let the guest in.
    await endTokens(hub)
    const stranger = await hub.open((hub) => hub.openJob('job-1', 'all', cursor, guest))
    expect([stranger.takeMessages(), stranger.isClosed]).toEqual([['end token-expired'], true])
    expect(hub.hub.open).toEqual({ streams: 0, channels: 0 })
  })
})
