import { Hub, type HubOptions } from '../../server/hub/hub.ts'
import type { Sink, StreamSource } from '../../server/hub/stream/stream.ts'
import type { Engine } from '../../server/jobs/engine.ts'
import { Metrics } from '../../server/metrics.ts'
import { systemClock, systemRandom } from '../../shared/time/clock.ts'
import { EventStreamParser } from '../event-stream-parser.ts'

/** A message of a stream: its event and its data. */
export interface Message {
  event: string
  data: Record<string, unknown>
}

/** All that a stream has said but for pings, to a reader that always has room. */
export class StreamLog implements Sink {
  readonly hasRoom = true
  readonly messages: Message[] = []
  isClosed = false
  readonly #parser = new EventStreamParser()
  #waiting: (() => void) | undefined

  constructor(source: StreamSource) {
    source.start(this)
    source.pull()
  }

  write(bytes: Uint8Array): void {
    this.#parser.push(bytes)
    const dispatched = this.#parser.dispatched.splice(0).filter(({ event }) => event !== 'ping')
    this.messages.push(...dispatched.map(({ event, data }) => ({ event, data: JSON.parse(data) })))
    this.#waiting?.()
  }

  close(): void {
    this.isClosed = true
    this.#waiting?.()
  }

  /** Resolves once what was said satisfies a condition; the test's time-out says that it never did. */
  async until(condition: (log: StreamLog) => boolean): Promise<void> {
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting = resolve
      await promise
    }
  }
}

/** What streams that a hub opens over an engine say. */
export async function openLog(
  engine: Engine,
  open: (hub: Hub) => Promise<unknown>,
  options: Pick<HubOptions, 'subscriptionsPerStream'> = {},
): Promise<[StreamLog, Hub]> {
  let log: StreamLog | undefined
  const openStream = (source: StreamSource) => {
    log = new StreamLog(source)
    return new ReadableStream<Uint8Array>()
  }
  const hub = new Hub({
    engine,
    clock: systemClock,
    random: systemRandom,
    metrics: new Metrics(),
    frameMs: 0,
    pingMs: 30_000,
    limits: { streams: 10, jobStreams: 10 },
    openStream,
    ...options,
  })
  await open(hub)
  if (!log) throw new Error('No stream was opened')
  return [log, hub]
}

/** An engine with some of its methods replaced. */
export function replaced(engine: Engine, methods: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
