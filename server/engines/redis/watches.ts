import type { Change, StoredJob, Unwatch, WatchTarget } from '../../jobs/engine.ts'
import { versionHeld } from '../../jobs/paging/paging.ts'
import { LruCache } from '../../support/lru.ts'
import { WakeQueue } from '../support/wake-queue.ts'
import type { RedisNode } from './connection/node.ts'
import { type LoadReply, stateIn } from './documents/known-job.ts'
import { type ChangeMessage, isAfter, isBy, type Order } from './message.ts'
import { scripts } from './scripts/scripts.ts'
import type { Place, RedisStore } from './store.ts'

/** Most jobs of an owner whose newest change is remembered, to keep changes in order. */
const MAX_ORDERS = 10_000
/** Jobs that are read at once after a connection was made again. */
const RECOVERED_AT_ONCE = 200

interface Watcher {
  wake(change: Change): void
  onLost(): void
  /** A quiet watcher: the job does not count as watched for it. */
  readonly isQuiet: boolean
}

/** A state that watchers of a job may have seen. */
interface Seen {
  epoch: string
  version: number
  generation?: string | undefined
}

/** What is watched: its channels, one in each partition that may have changes, and its watchers. */
class Target {
  readonly name: string
  readonly channels: ReadonlyMap<Place, string>
  readonly watchers = new Set<Watcher>()
  /** Resolves once all channels are subscribed. */
  ready: Promise<void> = Promise.resolve()
  readonly job: string | undefined
  /** Of one job: the newest state that watchers may have seen. */
  seen: Seen | undefined
  readonly #orders = new LruCache<string, Order>(MAX_ORDERS)

  /** @param job its id, if it is one job */
  constructor(name: string, channels: ReadonlyMap<Place, string>, job: string | undefined) {
    this.name = name
    this.channels = channels
    this.job = job
  }

  /** Whether a change comes after all earlier ones of its job: those of this process and those of others arrive by different paths. */
  isNext({ id }: Change, order: Order): boolean {
    const known = this.#orders.get(id)
    if (known && !isAfter(order, known)) return false
    this.restart(id, order)
    return true
  }

  /** Makes an order the newest, even if a later one was known. */
  restart(id: string, order: Order): void {
    this.#orders.set(id, order, 1)
  }

  see(epoch: string, version: number, generation: string | undefined): void {
    if (this.job === undefined) return
    if (this.seen?.epoch === epoch && this.seen.version > version) return
    this.seen = { epoch, version, generation }
  }
}

/**
 * Subscriptions to jobs, owners and everyone. Each has one channel a partition, however many watchers there are.
 *
 * A change of this process wakes its watchers directly, one of another process by a message. When a partition gets another connection, all its
 * channels are subscribed again, and the jobs are read: watchers of a job whose history goes on are told where it stands now, all others
 * start over. Until then messages wait: they may be of another history.
 */
export class RedisWatches {
  readonly #store: RedisStore
  readonly #targets = new Map<string, Target>()
  /** Targets by channel. */
  readonly #channels = new Map<string, Target>()
  /** Channels whose messages wait, with the newest one. */
  readonly #held = new Map<string, ChangeMessage | undefined>()
  readonly #queue = new WakeQueue<Watcher>()

  constructor(store: RedisStore) {
    this.#store = store
  }

  async add(target: WatchTarget, wake: Watcher['wake'], onLost: Watcher['onLost'] = () => {}): Promise<Unwatch> {
    const watched = this.#target(target)
    const watcher = { wake, onLost, isQuiet: 'quietly' in target }
    watched.watchers.add(watcher)
    const unwatch = () => {
      if (watched.watchers.delete(watcher) && watched.watchers.size === 0) this.#remove(watched)
    }
    try {
      await watched.ready
    } catch (error) {
      unwatch()
      throw error
    }
    return unwatch
  }

  /** Wakes for a change that this process made. */
  wake(owner: string, change: Change, order: Order): void {
    const { keys } = this.#store.placeOf(change.id)
    for (const channel of keys.channels(change.id, owner)) {
      const target = this.#channels.get(channel)
      if (target) this.#deliver(target, change, order, change.header?.generation)
    }
  }

  /** Whether all watchers of a job in this process are quiet. */
  isQuiet(id: string): boolean {
    const target = this.#targets.get(nameOf({ job: id }))
    return target !== undefined && [...target.watchers].every(({ isQuiet }) => isQuiet)
  }

  /** Wakes for a message. One from another history means that this connection's server is not what it was. */
  receive(node: RedisNode, text: string, channel: string): void {
    const target = this.#channels.get(channel)
    if (!target || isBy(text, node.id)) return
    const message = JSON.parse(text) as ChangeMessage
    if (message.history !== node.generation) node.end(new Error('The server has another history'))
    else if (this.#held.has(channel)) this.#held.set(channel, message)
    else this.#deliver(target, message.change, message.order, message.generation)
  }

  /** Notes what a read of a job showed, for its watchers may have it. */
  see(id: string, { header }: StoredJob): void {
    const target = this.#targets.get(nameOf({ job: id }))
    target?.see(header.epoch, header.version, header.generation)
  }

  /**
   * Subscribes the channels of a partition on its new connection, and compares the jobs with what watchers have seen.
   *
   * @returns tells the watchers: to be called once the partition can be read again
   */
  async recover(place: Place, node: RedisNode): Promise<() => void> {
    const targets = [...new Set(this.#channels.values())].filter(({ channels }) => channels.has(place))
    for (const target of targets) this.#held.set(target.channels.get(place) ?? '', undefined)
    const outcomes = await Promise.allSettled(targets.map((target) => this.#resubscribe(place, node, target)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const news: (() => void)[] = []
    for (let at = 0; at < targets.length; at += RECOVERED_AT_ONCE) {
      const some = targets.slice(at, at + RECOVERED_AT_ONCE)
      news.push(...(await Promise.all(some.map((target) => this.#compare(place, node, target)))))
    }
    return () => {
      for (const [index, target] of targets.entries()) this.#release(target.channels.get(place) ?? '', news[index])
    }
  }

  async #resubscribe(place: Place, node: RedisNode, target: Target): Promise<void> {
    const channel = target.channels.get(place) ?? ''
    await node.subscribe(channel)
    if (this.#channels.get(channel) !== target) node.unsubscribe(channel)
  }

  /** Reads a job, and returns how its watchers are told what became of it. */
  async #compare(place: Place, node: RedisNode, target: Target): Promise<() => void> {
    const { seen, job: id } = target
    // Of a list, or before the first read, nobody knows what watchers have.
    if (!seen || id === undefined) return () => this.#lose(target)
    const keys = [place.keys.job(id), place.keys.rows(id), place.keys.used(id)]
    const found = stateIn(await node.read<LoadReply>(scripts.load, keys, ['']))
    const { epoch, version } = seen
    if (!found) {
      return () => {
        target.seen = undefined
        this.#tell(target, { id, epoch, from: version, to: version, removed: true })
      }
    }
    const { header, marks } = found.job
    if (header.epoch === epoch && versionHeld(seen, found.job) !== version) return () => this.#lose(target)
    const from = header.epoch === epoch ? version : 0
    const series = marks.tokenSeries === undefined ? {} : { tokenSeries: marks.tokenSeries }
    return () => {
      // Commits that were lost had numbers that others have now.
      target.restart(id, [found.place, found.commits])
      target.see(header.epoch, header.version, header.generation)
      this.#tell(target, { id, epoch: header.epoch, from, to: header.version, header, ...series })
    }
  }

  /** Tells what became of a target, then the message that waits. */
  #release(channel: string, tell: (() => void) | undefined): void {
    const waiting = this.#held.get(channel)
    this.#held.delete(channel)
    tell?.()
    const target = this.#channels.get(channel)
    if (target && waiting) this.#deliver(target, waiting.change, waiting.order, waiting.generation)
  }

  #deliver(target: Target, change: Change, order: Order, generation: string | undefined): void {
    if (!target.isNext(change, order)) return
    target.see(change.epoch, change.to, generation)
    this.#tell(target, change)
  }

  #tell(target: Target, change: Change): void {
    this.#queue.add(target.watchers, ({ wake }) => wake(change))
  }

  /** Makes all watchers of a target start over. */
  #lose(target: Target): void {
    const lost = [...target.watchers]
    target.watchers.clear()
    this.#remove(target)
    for (const { onLost } of lost) onLost()
  }

  #target(what: WatchTarget): Target {
    const name = nameOf(what)
    const known = this.#targets.get(name)
    if (known) return known
    const target = new Target(name, this.#channelsOf(what), 'job' in what ? what.job : undefined)
    this.#targets.set(name, target)
    for (const channel of target.channels.values()) this.#channels.set(channel, target)
    target.ready = this.#subscribe(target)
    target.ready.catch(() => {})
    return target
  }

  async #subscribe({ channels }: Target): Promise<void> {
    await Promise.all([...channels].map(([place, channel]) => this.#store.nodes.subscribe(place, channel)))
  }

  #channelsOf(what: WatchTarget): Map<Place, string> {
    const { places } = this.#store
    if ('job' in what) {
      const place = this.#store.placeOf(what.job)
      return new Map([[place, place.keys.jobChannel(what.job)]])
    }
    return new Map(
      places.map((place) => [place, 'owner' in what ? place.keys.ownerChannel(what.owner) : place.keys.everyone]),
    )
  }

  /** Forgets a target without watchers. */
  #remove(target: Target): void {
    for (const [place, channel] of target.channels) {
      if (this.#channels.get(channel) !== target) continue
      this.#channels.delete(channel)
      this.#held.delete(channel)
      this.#store.nodes.unsubscribe(place, channel)
    }
    if (this.#targets.get(target.name) === target) this.#targets.delete(target.name)
  }
}

/** Unique: the first character says what it is. */
function nameOf(what: WatchTarget): string {
  if ('job' in what) return `j${what.job}`
  return 'owner' in what ? `o${what.owner}` : '*'
}
