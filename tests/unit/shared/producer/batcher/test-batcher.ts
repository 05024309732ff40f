import type { ProducerEvent } from '../../../../../shared/document/events.ts'
import { Batcher, type BatcherOptions, type Sent } from '../../../../../shared/producer/batcher.ts'
import type { Receipt } from '../../../../../shared/wire/api.ts'
import { SeededRandom } from '../../../../seeded-random.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'

export const receipt: Receipt = {
  version: 2,
  cancelRequested: false,
  pauseRequested: false,
  watched: true,
  flushMs: 250,
}

export const taken: Sent = { receipt }

export interface Try {
  events: ProducerEvent[]
  key: string
}

/** A batcher whose sender a test plays: by default it takes everything. */
export function gather(
  answer: (attempt: Try, tries: Try[]) => Sent | Promise<Sent> = () => taken,
  options: Partial<BatcherOptions> = {},
) {
  const clock = new VirtualClock()
  const tries: Try[] = []
  const told: unknown[] = []
  const batcher = new Batcher({
    clock,
    random: new SeededRandom(1),
    async send(events, key) {
      const attempt = { events: structuredClone(events), key }
      tries.push(attempt)
      return answer(attempt, tries)
    },
    onReceipt: (one) => told.push(one),
    onRejected: (reason, event) => told.push(['rejected', reason, event]),
    onClosed: (refusal) => refusal && told.push(['refused', refusal]),
    onIdle: () => told.push('idle'),
    ...options,
  })
  return { clock, tries, told, batcher, sent: () => tries.flatMap(({ events }) => events) }
}

export const progress = (done: number): ProducerEvent => ({ type: 'progress', done })

export const log = (message: string): ProducerEvent => ({ type: 'log', message })

export const item = (id: string): ProducerEvent => ({ type: 'item', id, status: 'running' })

export const running = { type: 'status', status: 'running' } satisfies ProducerEvent

export const completed: ProducerEvent = { type: 'status', status: 'completed', result: 42 }
