import type { Cursor } from '../../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../../shared/document/job.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { problems, refuse } from '../../errors.ts'
import type {
  Applied,
  Batch,
  Change,
  Created,
  Engine,
  JobToCreate,
  ListQuery,
  Notes,
  Page,
  RemoveOnly,
  StoredJob,
  Unwatch,
  View,
  WatchTarget,
} from '../../jobs/engine.ts'
import { type ObjectBindings, objectNotes, ownerObject, PING, PONG } from './calls.ts'

export type { ObjectBindings } from './calls.ts'
// A Worker has to export the classes of its objects.
export { JobObject } from './job.ts'
export { OwnerObject } from './owner.ts'

/** Interval of keep-alive pings over a WebSocket: milliseconds. */
const PING_MS = 30_000

/**
 * Documents in Durable Objects: one object per job, and one index object per principal.
 *
 * The Worker holds the browser's stream and subscribes to the objects over hibernating WebSockets.
 */
export class DurableObjectEngine implements Engine {
  readonly name = 'durable-object'
  readonly tellsAll = true
  /** An object for all jobs would be a bottleneck: every event would pass through it. */
  readonly knowsOwnersOnly = true
  readonly notes: Notes
  readonly #bindings: ObjectBindings
  readonly #limits: Limits
  readonly #retentionSeconds: number | undefined

  /** @param options.retentionSeconds retention of ended jobs; objects apply it when they end a job by themselves */
  constructor(bindings: ObjectBindings, options: { limits?: Limits; retentionSeconds?: number | undefined } = {}) {
    this.#bindings = bindings
    const notes = objectNotes(bindings)
    this.notes = {
      put: (...note) => answered(() => notes.put(...note)),
      get: (key) => answered(() => notes.get(key)),
      take: (key) => answered(() => notes.take(key)),
      list: (query) => answered(() => notes.list(query)),
    }
    this.#limits = options.limits ?? defaultLimits
    this.#retentionSeconds = options.retentionSeconds
  }

  create(job: JobToCreate): Promise<Created> {
    return answered(() => this.#job(job.header.id).create(job, this.#retentionSeconds))
  }

  apply(id: string, batch: Batch): Promise<Applied> {
    return answered(() => this.#job(id).apply(id, batch, this.#limits))
  }

  read(id: string): Promise<StoredJob | undefined> {
    return answered(() => this.#job(id).read(this.#retentionSeconds))
  }

  changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    return answered(() => this.#job(id).changesSince(cursor, page))
  }

  list(query: ListQuery): Promise<Page<JobHeader>> {
    return answered(() => ownerObject(this.#bindings, ownerOf(query)).list(query, this.#retentionSeconds))
  }

  remove(id: string, only?: RemoveOnly): Promise<boolean> {
    return answered(() => this.#job(id).remove(only))
  }

  async watch(target: WatchTarget, wake: (change: Change) => void, onLost: () => void = () => {}): Promise<Unwatch> {
    const object = 'job' in target ? this.#job(target.job) : ownerObject(this.#bindings, ownerOf(target))
    const url = 'quietly' in target ? 'https://object/quietly' : 'https://object'
    const { webSocket } = await answered(() => object.fetch(url, { headers: { upgrade: 'websocket' } }))
    if (!webSocket) throw refuse(problems.unavailable())
    return listen(webSocket, wake, onLost)
  }

  check(): Promise<void> {
    return answered(() => ownerObject(this.#bindings, '').check())
  }

  async close(): Promise<void> {}

  #job(id: string) {
    return this.#bindings.MILEPOST_JOBS.getByName(id)
  }
}

/** @throws Error for a query of all jobs, which `knowsOwnersOnly` rules out */
function ownerOf(query: Pick<ListQuery, 'owner'> | { all: true }): string {
  if ('owner' in query && query.owner !== undefined) return query.owner
  throw new Error('Durable Objects find jobs by their owner only')
}

/** Receives changes until unsubscribed, or until the connection is lost. A reset object closes it with code 1006 and no error. */
function listen(socket: WebSocket, wake: (change: Change) => void, onLost: () => void): Unwatch {
  let isOpen = true
  let isAlive = true
  const stop = () => {
    isOpen = false
    clearInterval(pings)
    socket.close(1000)
  }
  const lose = () => {
    if (!isOpen) return
    stop()
    onLost()
  }
  const pings = setInterval(() => {
    if (!isAlive) return lose()
    isAlive = false
    socket.send(PING)
  }, PING_MS)
  socket.addEventListener('message', ({ data }) => {
    isAlive = true
    if (!isOpen || data === PONG) return
    try {
      wake(JSON.parse(String(data)))
    } catch (error) {
      console.error('A watcher failed at a wake-up:', error)
    }
  })
  socket.addEventListener('close', lose)
  socket.addEventListener('error', lose)
  socket.accept()
  return () => {
    if (isOpen) stop()
  }
}

/** Whether the object could not be reached. The runtime sets these properties only on its own errors, not on exceptions of the object. */
const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (['durableObjectReset', 'overloaded', 'retryable'] as const).some((name) => Reflect.get(error, name) === true)

/** @throws ProblemError 503 when an object is reset, overloaded or out of reach */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw isAway(error) ? refuse(problems.unavailable()) : error
  }
}
