import { describe, expect, test } from 'bun:test'
import { OwnerFollower } from '../../../../../server/hub/owner/owner-follower.ts'
import { MAX_UPDATES } from '../../../../../server/hub/owner/sent-updates.ts'
import { settle } from '../../../../virtual-clock.ts'
import { openAll, progress, TestHub } from '../test-hub.ts'

/** An engine's list whose pages are answered when a test says so, each as it was when it was asked for. */
function holdPages(hub: TestHub) {
  const list = hub.engine.list.bind(hub.engine)
  const held: (() => void)[] = []
  hub.engine.list = async (query) => {
    const page = await list(query)
    await new Promise<void>((resolve) => held.push(resolve))
    return page
  }
  return {
    /** Answers the page that was asked for first, or one that was asked for later. */
    async answer(index = 0) {
      held.splice(index, 1)[0]?.()
      await settle()
    },
    async answerAll() {
      hub.engine.list = list
      for (const resolve of held.splice(0)) resolve()
      await settle()
    },
  }
}

/** A hub that can be made deaf to wake-ups. */
function hubOfHearing() {
  const hub = new TestHub()
  const watch = hub.engine.watch.bind(hub.engine)
  const hearing = { isDeaf: false }
  hub.engine.watch = (target, wake) => watch(target, (change) => hearing.isDeaf || wake(change))
  return { hub, hearing }
}

const newestFirst = (count: number) => Array.from({ length: count }, (_, n) => `snapshot ${count - 1 - n} e1-1`)

const frames = ({ metrics }: TestHub) => /^milepost_frames_total (.*)$/m.exec(metrics.render([]))?.[1] ?? '0'

describe('owner streams that list together', () => {
  test('owner streams that list together get each job once, and none again as an update', async () => {
    const hub = new TestHub()
    for (let n = 0; n < 250; n++) await hub.create({ id: `${n}` })
    const pages = holdPages(hub)
    const [first, second] = [await hub.open(openAll), await hub.open(openAll)]
    // One is a page ahead, then the other.
    for (const index of [0, 1, 0, 0]) await pages.answer(index)
    await pages.answerAll()
    await hub.clock.advance(25)
    for (const reader of [first, second]) {
      expect(reader.takeMessages()).toEqual(newestFirst(250))
      expect(reader.greeting).toBeDefined()
    }
    expect(frames(hub)).toBe('0')
    await hub.apply('0', progress(1))
    expect([first.takeMessages(), second.takeMessages()]).toEqual([['patch 0 e1-2'], ['patch 0 e1-2']])
  })

  test('owner streams that list more than MAX_UPDATES jobs together do not disconnect each other', async () => {
    const hub = new TestHub()
    for (let n = 0; n <= MAX_UPDATES; n++) await hub.create({ id: `${n}` })
    const pages = holdPages(hub)
    const [slow, quick] = [await hub.open(openAll), await hub.open(openAll)]
    slow.hasRoom = false
    await pages.answerAll()
    await hub.clock.advance(25)
    expect(quick.takeMessages()).toHaveLength(MAX_UPDATES + 1)
    slow.drain()
    await settle()
    expect(slow.takeMessages()).toHaveLength(MAX_UPDATES + 1)
    expect([slow.isClosed, quick.isClosed]).toEqual([false, false])
  })

  test('owner streams that list together get a job created behind their list, even when its wake-up was lost', async () => {
    const { hub, hearing } = hubOfHearing()
    await hub.create({ id: 'old' })
    const pages = holdPages(hub)
    // The page of the first is on its way, and has not what is made now.
    const first = await hub.open(openAll)
    hearing.isDeaf = true
    await hub.create({ id: 'new' })
    await hub.create({ id: 'removed' })
    hearing.isDeaf = false
    const second = await hub.open(openAll)
    first.take()
    second.take()
    await pages.answer(1)
    expect(second.takeMessages()).toEqual(['snapshot removed e1-1', 'snapshot new e1-1', 'snapshot old e1-1'])
    await hub.engine.remove('removed')
    await pages.answerAll()
    await hub.clock.advance(25)
    expect(first.takeMessages()).toEqual(['snapshot old e1-1', 'snapshot new e1-1', 'end removed deleted'])
    await hub.apply('new', progress(1))
    await hub.clock.advance(25)
    expect([first.takeMessages(), second.takeMessages().at(-1)]).toEqual([['patch new e1-2'], 'patch new e1-2'])
  })

  test('owner streams that list together get the newest header of a job, even from an older list', async () => {
    const { hub, hearing } = hubOfHearing()
    await hub.create({ id: 'a' })
    const pages = holdPages(hub)
    const first = await hub.open(openAll)
    hearing.isDeaf = true
    await hub.apply('a', progress(1))
    hearing.isDeaf = false
    const second = await hub.open(openAll)
    await pages.answer(1)
    await pages.answerAll()
    await hub.clock.advance(25)
    expect([first.takeMessages(), second.takeMessages()]).toEqual([['snapshot a e1-2'], ['snapshot a e1-2']])
  })

  test('owner streams that list together get a change once that follows one of their lists', async () => {
    const { hub } = hubOfHearing()
    for (let n = 0; n < 150; n++) await hub.create({ id: `${n}` })
    const pages = holdPages(hub)
    const [first, second] = [await hub.open(openAll), await hub.open(openAll)]
    await pages.answer(0)
    await hub.apply('149', progress(1))
    await hub.apply('0', progress(1))
    await hub.clock.advance(25)
    await pages.answerAll()
    await hub.clock.advance(25)
    const told = [first, second].map((reader) => reader.takeMessages())
    for (const messages of told) {
      expect(messages.filter((message) => message.includes(' 149 ')).at(-1)).toBe('snapshot 149 e1-2')
      expect(messages.filter((message) => message.includes(' 0 '))).toEqual(['snapshot 0 e1-2'])
    }
    expect(told.map((messages) => messages.length)).toEqual([151, 150])
  })

  test('owner streams that list together get a job that was created again after their list had it', async () => {
    const { hub, hearing } = hubOfHearing()
    for (let n = 0; n < 150; n++) await hub.create({ id: `${n}` })
    const reader = await hub.open(openAll)
    reader.take()
    const pages = holdPages(hub)
    const slow = await hub.open(openAll)
    await pages.answer()
    expect(slow.takeMessages()).toHaveLength(100)
    slow.hasRoom = false
    reader.cancel()
    // The end is a wake-up, the rest is not, and by the second ping the hub has forgotten the job.
    await hub.engine.remove('149')
    await hub.clock.advance(25)
    hearing.isDeaf = true
    await hub.clock.advance(30_000)
    await pages.answerAll()
    await hub.clock.advance(60_000)
    await hub.create({ id: '149', epoch: 'e2' })
    // Who comes now lists it first.
    const third = await hub.open(openAll)
    third.take()
    slow.drain()
    await hub.clock.advance(25)
    const messages = slow.takeMessages().filter((message) => message.includes(' 149 '))
    expect(messages.at(-1)).toBe('snapshot 149 e2-1')
  })

  test('owner streams that list together find a job at the same cost, however many they are', async () => {
    const hub = new TestHub()
    for (let n = 0; n < 150; n++) await hub.create({ id: `${n}` })
    const pages = holdPages(hub)
    for (let n = 0; n < 50; n++) await hub.open(openAll)
    const hasListed = Object.getOwnPropertyDescriptor(OwnerFollower.prototype, 'hasListed')
    let asked = 0
    Object.defineProperty(OwnerFollower.prototype, 'hasListed', {
      ...hasListed,
      get() {
        asked += 1
        return hasListed?.get?.call(this)
      },
    })
    await pages.answer()
    Object.defineProperty(OwnerFollower.prototype, 'hasListed', { ...hasListed })
    expect(asked).toBe(0)
  })
})

describe('an owner stream that lists for longer than a ping interval', () => {
  test('an owner stream that lists for longer than a ping interval gets each job once, and none again as an update', async () => {
    const hub = new TestHub()
    for (let n = 0; n < 150; n++) await hub.create({ id: `${n}` })
    const list = hub.engine.list.bind(hub.engine)
    const pages = holdPages(hub)
    const reader = await hub.open(openAll)
    await pages.answer()
    // The ping asks for all jobs too, to make good for lost wake-ups.
    hub.engine.list = list
    await hub.clock.advance(30_025)
    await pages.answerAll()
    await hub.clock.advance(25)
    expect(reader.takeMessages()).toEqual(newestFirst(150))
    expect(frames(hub)).toBe('0')
  })
})
