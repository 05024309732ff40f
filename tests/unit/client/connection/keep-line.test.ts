import { describe, expect, test } from 'bun:test'
import { ask } from '../../../../client/connection/ask.ts'
import { keepLine } from '../../../../client/connection/keep-line.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'
import { settle } from '../../../virtual-clock.ts'

/** A line whose jitter is in the middle, and everything that it told. */
function keep(environment = new FakeEnvironment()) {
  const told: unknown[] = []
  Object.assign(environment, { random: { number: () => 0.5 } })
  const letGo = keepLine({
    environment,
    names: ['snapshot'],
    open: () => environment.EventSource && new environment.EventSource('/stream'),
    receive: (name, data) => told.push([name, data]),
    poll: () => ask('/poll', {}, environment, () => ({ type: 'polled' })),
    onStatus(status) {
      if (told.at(-1) !== status) told.push(status)
    },
    onHeard() {},
  })
  return { environment, told, letGo }
}

/** A line that is live, and has been for a while. */
async function keepLive(ms = 20_000) {
  const kept = keep()
  const { environment } = kept
  environment.source.open()
  await environment.clock.advance(ms)
  environment.source.send('snapshot', {})
  return kept
}

const opened = ({ sources }: FakeEnvironment) => sources.length

describe('keepLine: streams', () => {
  test('keepLine is live from when its stream is open, and tells each message', () => {
    const { environment, told } = keep()
    expect(told).toEqual([])
    environment.source.open()
    environment.source.send('snapshot', { version: 1 })
    expect(told).toEqual(['live', ['snapshot', { version: 1 }], 'live'])
  })

  test('keepLine opens the next stream at once when one that lived closes, and stays live', async () => {
    const { environment, told } = await keepLive()
    environment.source.lose()
    await settle()
    expect(environment.sources.map(({ isOpen }) => isOpen)).toEqual([false, true])
    expect(told.at(-1)).toBe('live')
  })

  test('keepLine opens again after 75 seconds of silence', async () => {
    const { environment, told } = await keepLive()
    await environment.clock.advance(74_999)
    expect(opened(environment)).toBe(1)
    await environment.clock.advance(1)
    expect([opened(environment), told.at(-1)]).toEqual([2, 'reconnecting'])
  })

  test('keepLine doubles the wait after each stream that closes young, up to 30 seconds', async () => {
    const { environment } = keep()
    for (const wait of [1_500, 3_000, 6_000, 12_000, 22_500, 22_500]) {
      environment.source.open()
      environment.source.send('snapshot', {})
      environment.source.lose()
      const before = opened(environment)
      await environment.clock.advance(wait - 1)
      expect([wait, opened(environment)]).toEqual([wait, before])
      await environment.clock.advance(1)
      expect([wait, opened(environment)]).toEqual([wait, before + 1])
    }
  })

  test('keepLine does not trust a stream whose data is not JSON', async () => {
    const { environment, told } = await keepLive()
    environment.source.sendText('snapshot', '{"half":')
    await settle()
    expect([environment.source.isOpen, told.at(-1)]).toEqual([false, 'reconnecting'])
  })
})

describe('keepLine: polls', () => {
  test('keepLine polls while its streams are mute, and tries a stream again after five minutes', async () => {
    const { environment, told } = keep()
    for (let start = 1; start <= 3; start++) {
      await environment.clock.advance(8_000)
      await environment.request.answer(200, {})
    }
    expect([told, opened(environment)]).toEqual([['polling'], 3])
    let polls = 0
    while (opened(environment) === 3) {
      await environment.clock.advance(5_625)
      if (opened(environment) === 3) await environment.request.answer(200, {})
      polls += 1
    }
    expect([polls, environment.sources.filter(({ isOpen }) => isOpen).length]).toEqual([54, 1])
  })

  test('keepLine polls as often as the server asks for', async () => {
    const { environment } = keep()
    for (let start = 1; start <= 3; start++) {
      await environment.clock.advance(8_000)
      await environment.request.answer(200, {}, { 'retry-after': '2' })
    }
    await environment.clock.advance(2_249)
    expect(environment.requests).toHaveLength(3)
    await environment.clock.advance(1)
    expect(environment.requests).toHaveLength(4)
  })

  test('keepLine does not trust an open stream after a mute one', async () => {
    const { environment, told } = keep()
    await environment.clock.advance(8_000)
    await environment.request.answer(200, {})
    environment.source.open()
    expect(told).toEqual([])
    environment.source.send('snapshot', {})
    expect(told.at(-1)).toBe('live')
  })

  test('keepLine polls when a stream is refused, and waits as Retry-After says and a little longer', async () => {
    const { environment, told } = keep()
    environment.source.refuse()
    await settle()
    await environment.request.answer(503, {}, { 'retry-after': '60' })
    expect(told).toEqual(['reconnecting'])
    await environment.clock.advance(30_000)
    environment.page.dispatchEvent(new Event('visibilitychange'))
    await environment.clock.advance(31_499)
    expect(opened(environment)).toBe(1)
    await environment.clock.advance(1)
    expect(opened(environment)).toBe(2)
  })

  test('keepLine gives a poll 15 seconds, and takes one that fails for what it is', async () => {
    const { environment, told } = keep()
    await environment.clock.advance(8_000 + 15_000)
    expect(told).toEqual(['reconnecting'])
    await environment.clock.advance(1_500 + 8_000)
    await environment.request.fail()
    await environment.clock.advance(3_000)
    expect(opened(environment)).toBe(3)
  })
})

describe('keepLine: the network and the page', () => {
  test('keepLine says offline, keeps its stream, and opens another when the network is back', async () => {
    const { environment, told } = await keepLive()
    environment.page.dispatchEvent(new Event('offline'))
    expect([told.at(-1), environment.source.isOpen]).toEqual(['offline', true])
    environment.page.dispatchEvent(new Event('online'))
    await settle()
    expect([told.at(-1), opened(environment)]).toEqual(['reconnecting', 2])
  })

  test('keepLine takes what arrives for a network, whatever the device says', async () => {
    const { environment, told } = await keepLive()
    environment.page.dispatchEvent(new Event('offline'))
    environment.source.send('snapshot', {})
    expect(told.at(-1)).toBe('live')
    environment.page.dispatchEvent(new Event('online'))
    await settle()
    expect(opened(environment)).toBe(1)
  })

  test('keepLine begins offline where the device is', () => {
    const environment = new FakeEnvironment()
    environment.page.navigator.onLine = false
    expect(keep(environment).told).toEqual(['offline'])
  })

  test('keepLine tries at once when someone comes back to the page, and not while nobody looks', async () => {
    const { environment } = await keepLive(1_000)
    environment.source.lose()
    await settle()
    environment.page.document.visibilityState = 'hidden'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(opened(environment)).toBe(1)
    environment.page.document.visibilityState = 'visible'
    environment.page.dispatchEvent(new Event('visibilitychange'))
    await settle()
    expect(opened(environment)).toBe(2)
  })

  test('keepLine does not trust a stream that is silent for more than a ping when someone comes back', async () => {
    const { environment } = await keepLive()
    await environment.clock.advance(39_999)
    environment.page.dispatchEvent(new Event('pageshow'))
    await environment.clock.advance(1)
    expect(opened(environment)).toBe(1)
    environment.page.dispatchEvent(new Event('pageshow'))
    await settle()
    expect(opened(environment)).toBe(2)
  })
})

describe('keepLine: the end', () => {
  test.each<[string, (environment: FakeEnvironment) => Promise<void>]>([
    ['a stream', async () => {}],
    ['a poll', ({ clock }) => clock.advance(8_000)],
    [
      'a wait',
      async ({ source }) => {
        source.lose()
        await settle()
      },
    ],
  ])('keepLine leaves nothing behind when it is let go of during %s', async (_during, lead) => {
    const { environment, letGo, told } = keep()
    await lead(environment)
    const before = told.length
    letGo()
    await settle()
    environment.page.dispatchEvent(new Event('offline'))
    await environment.clock.advance(400_000)
    expect([environment.clock.pending, environment.sources.some(({ isOpen }) => isOpen), told.length]).toEqual([
      0,
      false,
      before,
    ])
    expect(opened(environment)).toBe(1)
  })
})
