import { expect, test } from 'bun:test'
import { handleInTurns, MAX_WAITING } from '../../../../../server/entries/bun/turns.ts'
import type { Asked, Counted } from '../reconnecting-clients.ts'

/** Takes longer than a turn may last. */
function work(): void {
  const end = performance.now() + 12
  while (performance.now() < end);
}

/** A request of a client that stays. */
const asked = (n: number) => ({ n, signal: new AbortController().signal })

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('handleInTurns handles a request at once in a new turn, and answers what the handler does', async () => {
  const answer = new Response('ok')
  const handle = handleInTurns(() => answer)
  expect(handle(asked(0))).toBe(answer)
  await nextTurn()
  expect(handle(asked(1))).toBe(answer)
})

test('handleInTurns lets requests wait for the next turns once this one is long, in their order', async () => {
  const handled: number[] = []
  const handle = handleInTurns(({ n }: { n: number; signal: AbortSignal }) => {
    handled.push(n)
    if (n === 0) work()
    return new Response(`${n}`)
  })
  await nextTurn()
  const answers = Array.from({ length: 40 }, (_, n) => handle(asked(n)))
  expect(handled).toEqual([0])
  const perTurn: number[] = []
  for (let before = handled.length; handled.length < 40; before = handled.length) {
    await nextTurn()
    if (handled.length > before) perTurn.push(handled.length - before)
  }
  expect(perTurn).toEqual([16, 16, 7])
  expect(handled).toEqual(Array.from({ length: 40 }, (_, n) => n))
  expect(await (await answers[39])?.text()).toBe('39')
})

test('handleInTurns rejects a request that waits and whose handler throws, and goes on', async () => {
  const handle = handleInTurns(({ n }: { n: number; signal: AbortSignal }) => {
    if (n === 0) work()
    if (n === 1) throw new Error('not handled')
    return new Response(`${n}`)
  })
  await nextTurn()
  const [, failed, next] = [handle(asked(0)), handle(asked(1)), handle(asked(2))]
  const reason = await Promise.resolve(failed).catch((error: Error) => error.message)
  expect([reason, await (await next)?.text()]).toEqual(['not handled', '2'])
})

test('handleInTurns handles no request whose client has left while it waited, and lets few enough wait', async () => {
  const handled: number[] = []
  const handle = handleInTurns(({ n }: { n: number; signal: AbortSignal }) => {
    handled.push(n)
    if (n === 0) work()
    return new Response(`${n}`)
  })
  await nextTurn()
  const left = AbortSignal.abort()
  handle(asked(0))
  const gone = Array.from({ length: MAX_WAITING - 1 }, (_, n) => handle({ n: n + 1, signal: left }))
  const stayed = handle(asked(-1))
  const refused = await handle(asked(-2))
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(await refused.json()).toEqual({
    type: 'urn:milepost:unavailable',
    status: 503,
    title: 'Unavailable',
    detail: 'Too many requests wait, so this one was not handled. Send it again in two seconds.',
  })
  expect(await (await stayed).text()).toBe('-1')
  expect(handled).toEqual([0, -1])
  expect((await gone[0])?.status).toBe(499)
})

test('handleInTurns keeps clients that connect anew for each request from stopping the others', async () => {
  const handle = handleInTurns(async () => {
    work()
    return new Response('ok')
  })
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handle })
  const worker = new Worker(new URL('../reconnecting-clients.ts', import.meta.url))
  const counted = Promise.withResolvers<Counted>()
  worker.onmessage = ({ data }: MessageEvent<Counted>) => counted.resolve(data)
  worker.postMessage({ port: server.port ?? 0, requests: 100 } satisfies Asked)
  const { sent, answered } = await counted.promise
  worker.terminate()
  await server.stop(true)
  // Without turns it is answered last.
  expect(answered - sent).toBeLessThan(30)
}, 60_000)
