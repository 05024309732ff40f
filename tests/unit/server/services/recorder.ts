import { JobEventEmitter, setJobEvents } from '../../../../server/jobs/emitter.ts'
import { type EventType, eventSchema, type ProducerEvent } from '../../../../shared/document/events.ts'
import { applyEvent } from '../../../../shared/document/fold.ts'
import type { Item, Job } from '../../../../shared/document/job.ts'
import { CREATED_AT, newHeader } from '../../../arbitraries.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { settle, VirtualClock } from '../../../virtual-clock.ts'

/** Wires the emit helpers to a list of what they are given, and folds it into the document that a watcher would have. */
export class Recorder {
  readonly events: ProducerEvent[] = []
  readonly invalid: unknown[] = []
  readonly emitter: JobEventEmitter
  #wake: (asked: { cancelRequested: boolean; pauseRequested: boolean }) => void = () => {}

  constructor() {
    this.emitter = new JobEventEmitter({
      // A clock that stands still: nothing is published, everything is seen as it is emitted.
      clock: new VirtualClock(),
      random: new SeededRandom(1),
      publish: async () => ({ refused: 'nobody is interested' }),
      watch: async (_jobId, wake) => {
        this.#wake = wake
        return () => {}
      },
      validate: (event) => {
        const parsed = eventSchema.safeParse(event)
        if (parsed.success) this.events.push(parsed.data)
        else this.invalid.push({ event, error: parsed.error })
        return parsed.data
      },
    })
    setJobEvents(this.emitter)
  }

  /** What a watcher asks of the job that the emitter runs. */
  ask(cancelRequested: boolean, pauseRequested: boolean): void {
    this.#wake({ cancelRequested, pauseRequested })
  }

  of<T extends EventType>(type: T): Extract<ProducerEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<ProducerEvent, { type: T }> => event.type === type)
  }

  /** The document after everything so far. Throws when an event was not valid. */
  document(): Job {
    if (this.invalid.length > 0) throw new Error(`Invalid events: ${Bun.inspect(this.invalid)}`)
    return this.events.reduce(
      (job, event) => applyEvent(job, { ...event, version: job.version + 1, at: CREATED_AT }),
      created,
    )
  }

  item(id: string): Item | undefined {
    return this.document().items.find((item) => item.id === id)
  }

  /** The document's items as `id: status`. */
  statuses(): Record<string, string> {
    return Object.fromEntries(this.document().items.map(({ id, status }) => [id, status]))
  }

  /** The document's steps as `id: status`. */
  steps(): Record<string, string> {
    return Object.fromEntries(this.document().steps.map(({ id, status }) => [id, status]))
  }
}

const created: Job = {
  ...newHeader({ id: 'job' }),
  steps: [],
  items: [],
  errors: [],
  logs: [],
}

/** Moves a clock from timer to timer until a promise has settled; digests and blobs take the real time that they take. */
export async function finish<T>(promise: Promise<T>, clock: VirtualClock): Promise<T> {
  let settled = false
  const end = () => {
    settled = true
  }
  promise.then(end, end)
  while (!settled) {
    await settle()
    if (!settled && clock.nextAt !== undefined) await clock.advance(clock.nextAt - clock.now())
  }
  return promise
}

/** Waits for something that comes about by itself, without moving any clock. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle()
}

/** Bytes as a stream, in chunks of a size. */
export function streamOf(bytes: Uint8Array, chunk = bytes.byteLength): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.byteLength) return controller.close()
      controller.enqueue(bytes.slice(at, at + chunk))
      at += chunk
    },
  })
}
