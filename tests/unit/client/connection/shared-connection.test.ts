import { describe, expect, test } from 'bun:test'
import { createConnection } from '../../../../client/connection/connection.ts'
import { transition } from '../../../../client/connection/connection-state.ts'
import { requestJson, takeMessages } from '../../../../client/connection/transport.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'
import { settle } from '../../../virtual-clock.ts'

/** A connection without a cursor whose jitter is in the middle, and everything that it told. */
function connect(environment = new FakeEnvironment()) {
  const told: unknown[] = []
  Object.assign(environment, { random: { number: () => 0.5 } })
  const connection = createConnection({
    environment,
    policy: transition,
    cursor: 'any',
    async open(_cursor, attempt) {
      if (environment.EventSource) takeMessages(new environment.EventSource('/stream'), ['snapshot'], attempt)
      return undefined
    },
    receive(name, data) {
      told.push([name, data])
      return { type: 'message' }
    },
    poll: () => requestJson('/poll', {}, environment, () => ({ type: 'polled' })),
    onStatus: (status) => told.push(status),
    onHeard() {},
  })
  connection.start()
  return { environment, told, connection }
}

/** A connection that is live, and has been for a while. */
async function connectLive(ms = 20_000) {
  const connected = connect()
  const { environment } = connected
  environment.source.open()
  await environment.clock.advance(ms)
  environment.source.send('snapshot', {})
  return connected
}

const opened = ({ sources }: FakeEnvironment) => sources.length

describe('createConnection without a cursor: streams', () => {
  test('createConnection is live from when its stream is open, and tells each message', () => {
    const { environment, told } = connect()
    expect(told).toEqual([])
    environment.source.open()
    environment.source.send('snapshot', { version: 1 })
    expect(told).toEqual(['live', ['snapshot', { version: 1 }]])
  })

  test('createConnection opens the next stream at once when one that lived closes, and stays live', async () => {
    const { environment, connection } = await connectLive()
    environment.source.lose()
    await settle()
    expect(environment.sources.map(({ isOpen }) => isOpen)).toEqual([false, true])
    expect(connection.status).toBe('live')
  })

  test('createConnection opens again after 75 seconds of silence', async () => {
    const { environment, told } = await connectLive()
    await environment.clock.advance(74_999)
    expect(opened(environment)).toBe(1)
    await environment.clock.advance(1)
    expect([opened(environment), told.at(-1)]).toEqual([2, 'reconnecting'])
  })

  test('createConnection doubles the wait after each stream that closes young, up to 30 seconds', async () => {
    const { environment } = connect()
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

  test('createConnection does not trust a stream whose data is not JSON', async () => {
    const { environment, told } = await connectLive()
    environment.source.sendText('snapshot', '{"half":')
    await settle()
    expect([environment.source.isOpen, told.at(-1)]).toEqual([false, 'reconnecting'])
  })
})

describe('createConnection without a cursor: polls', () => {
  test('createConnection polls while its streams are mute, and tries a stream again after five minutes', async () => {
    const { environment, told } = connect()
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

  test('createConnection polls as often as the server asks for', async () => {
    const { environment } = connect()
    for (let start = 1; start <= 3; start++) {
      await environment.clock.advance(8_000)
      await environment.request.answer(200, {}, { 'retry-after': '2' })
    }
    await environment.clock.advance(2_249)
    expect(environment.requests).toHaveLength(3)
    await environment.clock.advance(1)
    expect(environment.requests).toHaveLength(4)
  })

  test('createConnection does not trust an open stream after a mute one', async () => {
    const { environment, told } = connect()
    await environment.clock.advance(8_000)
    await environment.request.answer(200, {})
    environment.source.open()
    expect(told).toEqual([])
    environment.source.send('snapshot', {})
    expect(told.at(-1)).toBe('live')
  })

  test('createConnection polls when a stream is refused, and waits as Retry-After says and a little longer', async () => {
    const { environment, told } = connect()
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

  test("createConnection waits no longer than ten seconds and some for a poll that is not the server's", async () => {
    const { environment } = connect()
    environment.source.refuse()
    await settle()
    await environment.request.answerForeign(429, '<h1>Slow down</h1>', { 'retry-after': '3600' })
    await environment.clock.advance(11_499)
    expect(opened(environment)).toBe(1)
    await environment.clock.advance(1)
    expect(opened(environment)).toBe(2)
  })

  test('createConnection gives a poll 15 seconds, and takes one that fails for what it is', async () => {
    const { environment, told } = connect()
    await environment.clock.advance(8_000 + 15_000)
    expect(told).toEqual(['reconnecting'])
    await environment.clock.advance(1_500 + 8_000)
    await environment.request.fail()
    await environment.clock.advance(3_000)
    expect(opened(environment)).toBe(3)
  })
})

describe('createConnection without a cursor: the network and the page', () => {
  test('createConnection says offline, keeps its stream, and opens another when the network is back', async () => {
    const { environment, told } = await connectLive()
    environment.page.dispatchEvent(new Event('offline'))
    expect([told.at(-1), environment.source.isOpen]).toEqual(['offline', true])
    environment.page.dispatchEvent(new Event('online'))
    await settle()
    expect([told.at(-1), opened(environment)]).toEqual(['reconnecting', 2])
  })

  test('createConnection takes what arrives for a network, whatever the device says', async () => {
    const { environment, told } = await connectLive()
    environment.page.dispatchEvent(new Event('offline'))
    environment.source.send('snapshot', {})
    expect(told.at(-1)).toBe('live')
    environment.page.dispatchEvent(new Event('online'))
    await settle()
    expect(opened(environment)).toBe(1)
  })

  test('createConnection begins offline where the device is', () => {
    const environment = new FakeEnvironment()
    environment.page.navigator.onLine = false
    expect(connect(environment).told).toEqual(['offline'])
  })

  test('createConnection tries at once when someone comes back to the page, and not while nobody looks', async () => {
    const { environment } = await connectLive(1_000)
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

  test('createConnection does not trust a stream that is silent for more than a ping when someone comes back', async () => {
    const { environment } = await connectLive()
    await environment.clock.advance(39_999)
    environment.page.dispatchEvent(new Event('pageshow'))
    await environment.clock.advance(1)
    expect(opened(environment)).toBe(1)
    environment.page.dispatchEvent(new Event('pageshow'))
    await settle()
    expect(opened(environment)).toBe(2)
  })
})

describe('createConnection without a cursor: the end', () => {
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
  ])('createConnection leaves nothing behind when it is stopped during %s', async (_during, lead) => {
    const { environment, connection, told } = connect()
    await lead(environment)
    connection.stop()
    const before = told.length
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
