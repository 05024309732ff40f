import type { Clock, Timer } from '../../../shared/time/clock.ts'
import type { Change, Unwatch, WatchTarget } from '../../jobs/engine.ts'
import { isTenantList, listOf } from '../../jobs/tenant-documents.ts'
import { LruCache } from '../../support/lru.ts'
import { WakeQueue } from '../support/wake-queue.ts'
import type { KvAccess } from './access.ts'
import { keys } from './keys.ts'
import { type ChangeNote, type Gone, type Head, jobOf, type Payload } from './values.ts'

/** Most jobs per owner whose last published version is remembered. */
const MAX_KNOWN = 10_000
/** Most recent changes of an owner's jobs per read. */
const MAX_CHANGES = 10_000
/** How long other processes' changes of an owner's jobs are gathered for one read: milliseconds. This process's are published at once. */
const GATHER_MS = 100

interface Watcher {
  wake(change: Change): void
  onLost(): void
}

/** The last published state of a job. Versionstamps increase with every commit of any process. */
interface Known {
  stamp: string
  epoch: string
  version: number
}

interface WatchOptions {
  clock: Clock
  /** Id of this process, whose changes are published without the store. */
  by: string
  /** Polls at this interval instead of using `Deno.Kv.watch`: milliseconds. */
  pollMs?: number | undefined
}

/**
 * Subscriptions to jobs and owners.
 *
 * Commits of this process are published at once, with their events. Commits of other processes arrive through `Deno.Kv.watch`: on the
 * job's key, or on a key per owner that every change writes. On a file `watch` does not see other processes (Deno 2.9.5): keys are polled.
 *
 * Subscribers to all jobs, or to those of a tenant, are woken only by commits of this process: a key for all changes would slow down every commit. The hub, which
 * asks the engine at each ping, finds the changes of other processes like any lost wake-up.
 */
export class KvWatches {
  readonly #kv: KvAccess
  readonly #options: WatchOptions
  readonly #jobs = new Map<string, JobTarget>()
  readonly #owners = new Map<string, OwnerTarget>()
  readonly #everyone = new Set<Watcher>()
  readonly #tenants = new Map<string, Set<Watcher>>()
  readonly #queue = new WakeQueue<Watcher>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(kv: KvAccess, options: WatchOptions) {
    this.#kv = kv
    this.#options = options
  }

  async add(target: WatchTarget, watcher: Watcher): Promise<Unwatch> {
    if ('all' in target) {
      this.#everyone.add(watcher)
      return () => this.#everyone.delete(watcher)
    }
    if ('owner' in target && isTenantList(target.owner)) return this.#addToTenant(target.owner, watcher)
    const watched =
      'job' in target
        ? this.#target(this.#jobs, target.job, () => new JobTarget(this.#kv, this.#options, target.job))
        : this.#target(this.#owners, target.owner, () => new OwnerTarget(this.#kv, this.#options, target.owner))
    watched.watchers.add(watcher)
    this.#schedulePoll()
    const unwatch = () => {
      if (watched.watchers.delete(watcher) && watched.watchers.size === 0) watched.close()
    }
    try {
      await watched.ready
    } catch (error) {
      unwatch()
      throw error
    }
    return unwatch
  }

  /** Publishes a change that this process committed: subscribers wake after the response to the commit. */
  publish(owner: string, change: Change, versionstamp: string): void {
    this.#jobs.get(change.id)?.publish(change, versionstamp)
    this.#owners.get(owner)?.publish(change, versionstamp)
    this.#queue.add(this.#everyone, (watcher) => watcher.wake(change))
    const list = this.#tenants.size > 0 ? listOf(change.id) : undefined
    const tenant = list === undefined ? undefined : this.#tenants.get(list)
    if (tenant) this.#queue.add(tenant, (watcher) => watcher.wake(change))
  }

  #addToTenant(list: string, watcher: Watcher): Unwatch {
    const watchers = this.#tenants.get(list) ?? new Set()
    this.#tenants.set(list, watchers.add(watcher))
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && this.#tenants.get(list) === watchers) this.#tenants.delete(list)
    }
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer)
    for (const target of [...this.#jobs.values(), ...this.#owners.values()]) target.close()
  }

  #target<T extends Target>(targets: Map<string, T>, name: string, create: () => T): T {
    const known = targets.get(name)
    if (known) return known
    const target = create()
    targets.set(name, target)
    target.start(() => targets.delete(name))
    return target
  }

  #schedulePoll(): void {
    const { clock, pollMs } = this.#options
    if (pollMs === undefined || this.#timer !== undefined || this.#isClosed) return
    if (this.#jobs.size + this.#owners.size === 0) return
    this.#timer = clock.setTimeout(() => {
      const polled = this.#poll().catch(() => {
        // The store is unavailable; the next poll tries again.
      })
      void polled.then(() => {
        this.#timer = undefined
        this.#schedulePoll()
      })
    }, pollMs)
  }

  async #poll(): Promise<void> {
    const jobs = [...this.#jobs.values()]
    const heads = await this.#kv.getMany<Head | Gone>(jobs.map(({ id }) => keys.job(id)))
    for (const [index, job] of jobs.entries()) {
      const head = heads[index]
      if (head) job.observe(head)
    }
    for (const owner of [...this.#owners.values()]) await owner.read()
  }
}

/** One watched key and its subscribers. */
abstract class Target {
  readonly watchers = new Set<Watcher>()
  ready: Promise<void> = Promise.resolve()
  protected readonly kv: KvAccess
  protected readonly options: WatchOptions
  readonly #known = new LruCache<string, Known>(MAX_KNOWN)
  readonly #queue = new WakeQueue<Watcher>()
  readonly #key: Deno.KvKey
  #reader: ReadableStreamDefaultReader<[Deno.KvEntryMaybe<unknown>]> | undefined
  #onClose = () => {}
  protected isClosed = false

  constructor(kv: KvAccess, options: WatchOptions, key: Deno.KvKey) {
    this.kv = kv
    this.options = options
    this.#key = key
  }

  /** Begins to watch. The present state counts as published. */
  start(onClose: () => void): void {
    this.#onClose = onClose
    this.ready = this.#begin()
    // `add` reports a failure; this handler covers the case that all its callers are gone.
    this.ready.catch(() => {})
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#onClose()
    this.#reader?.cancel().catch(() => {})
  }

  /** Wakes subscribers after the response to the commit, unless a later change was already published. */
  publish(change: Change, stamp: string): void {
    const known = this.#known.get(change.id)
    if (known && known.stamp >= stamp) return
    this.know(change.id, { stamp, epoch: change.epoch, version: change.to })
    this.#queue.add(this.watchers, (watcher) => watcher.wake(change))
  }

  protected know(id: string, known: Known): void {
    this.#known.set(id, known, 1)
  }

  /** The last published version in this life of a job, 0 if none. */
  protected versionOf(id: string, epoch: string): number {
    const known = this.#known.get(id)
    return known?.epoch === epoch ? known.version : 0
  }

  protected isKnown(id: string, stamp: string): boolean {
    return (this.#known.get(id)?.stamp ?? '') >= stamp
  }

  /** Records the state of the store when the watch begins. */
  protected abstract begin(entry: Deno.KvEntryMaybe<unknown>): Promise<void>
  /** The key has changed. */
  protected abstract changed(entry: Deno.KvEntryMaybe<unknown>): void

  async #begin(): Promise<void> {
    if (this.options.pollMs !== undefined) return this.begin(await this.kv.get(this.#key))
    this.#reader = this.kv.watch(this.#key)
    const { value } = await this.#reader.read()
    if (value) await this.begin(value[0])
    if (this.isClosed) await this.#reader.cancel()
    else void this.#follow(this.#reader)
  }

  async #follow(reader: ReadableStreamDefaultReader<[Deno.KvEntryMaybe<unknown>]>): Promise<void> {
    try {
      for (let next = await reader.read(); next.value; next = await reader.read()) this.changed(next.value[0])
    } catch {
      // Treated like the end of the stream: the store is unavailable.
    }
    if (this.isClosed) return
    const lost = [...this.watchers]
    this.watchers.clear()
    this.close()
    for (const watcher of lost) watcher.onLost()
  }
}

class JobTarget extends Target {
  readonly id: string

  constructor(kv: KvAccess, options: WatchOptions, id: string) {
    super(kv, options, keys.job(id))
    this.id = id
  }

  protected async begin({ value, versionstamp: stamp }: Deno.KvEntryMaybe<Head | Gone>): Promise<void> {
    if (value === null || stamp === null || this.isKnown(this.id, stamp)) return
    this.know(this.id, { stamp, ...placeOf(value) })
  }

  protected changed(entry: Deno.KvEntryMaybe<Head | Gone>): void {
    this.observe(entry)
  }

  /** Publishes another process's change. The expiry of a tombstone is no change. */
  observe({ value, versionstamp }: Deno.KvEntryMaybe<Head | Gone>): void {
    if (value === null || versionstamp === null || value.by === this.options.by) return
    const { epoch, version } = placeOf(value)
    const change: Change = { id: this.id, epoch, from: this.versionOf(this.id, epoch), to: version }
    if ('gone' in value) change.removed = true
    else {
      const header = headerOf(value)
      if (header) change.header = header
      if (value.marks.tokenSeries !== undefined) change.tokenSeries = value.marks.tokenSeries
    }
    this.publish(change, versionstamp)
  }
}

class OwnerTarget extends Target {
  readonly #owner: string
  /** Versionstamp of the newest change read. */
  #newest = ''
  #timer: Timer | undefined
  #reading = Promise.resolve()

  constructor(kv: KvAccess, options: WatchOptions, owner: string) {
    super(kv, options, keys.bump(owner))
    this.#owner = owner
  }

  override close(): void {
    super.close()
    if (this.#timer !== undefined) this.options.clock.clearTimeout(this.#timer)
  }

  protected async begin(): Promise<void> {
    for (const { key, value, versionstamp: stamp } of await this.#list()) {
      this.#pass(stamp)
      const id = String(key.at(-1))
      if (!this.isKnown(id, stamp)) this.know(id, { stamp, epoch: value.epoch, version: value.version })
    }
  }

  protected changed(): void {
    if (this.isClosed) return
    this.#timer ??= this.options.clock.setTimeout(() => {
      this.#timer = undefined
      // The store is unavailable; the next change triggers another read.
      this.read().catch(() => {})
    }, GATHER_MS)
  }

  /** Publishes other processes' changes since the last read. */
  read(): Promise<void> {
    this.#reading = this.#reading.catch(() => {}).then(() => this.#read())
    return this.#reading
  }

  async #read(): Promise<void> {
    const before = this.#newest
    const changes = (await this.#list()).filter(({ versionstamp }) => versionstamp > before)
    if (this.isClosed) return
    for (const { key, value, versionstamp } of changes.sort((a, b) => (a.versionstamp < b.versionstamp ? -1 : 1))) {
      this.#pass(versionstamp)
      if (value.by === this.options.by) continue
      const id = String(key.at(-1))
      const { epoch, version, gone } = value
      const change: Change = { id, epoch, from: this.versionOf(id, epoch), to: version }
      this.publish(gone ? { ...change, from: version, removed: true } : change, versionstamp)
    }
  }

  #list(): Promise<Deno.KvEntry<ChangeNote>[]> {
    return this.kv.list<ChangeNote>({ prefix: keys.news(this.#owner) }, { limit: MAX_CHANGES })
  }

  #pass(versionstamp: string): void {
    if (versionstamp > this.#newest) this.#newest = versionstamp
  }
}

function placeOf(value: Head | Gone): { epoch: string; version: number } {
  return 'gone' in value ? value : value.header
}

/** The header, if the head includes its payloads. */
function headerOf(head: Head): Change['header'] {
  if (typeof head.result === 'number' || typeof head.metadata === 'number') return undefined
  return jobOf(head, parse(head.result), parse(head.metadata)).header
}

function parse(payload: Payload | undefined): unknown {
  return typeof payload === 'string' ? JSON.parse(payload) : undefined
}
