import type { Limits } from '../../../shared/document/limits.ts'
import { problems } from '../../errors.ts'
import { applyBatch, changeOf } from '../../jobs/apply-batch.ts'
import { mayRemove } from '../../jobs/background/due.ts'
import type { Applied, Batch, Change, Commit, Created, JobToCreate, RemoveOnly, StoredJob } from '../../jobs/engine.ts'
import { createdIn } from '../../jobs/generations.ts'
import { isForgotten, KEYS_KEPT } from '../../jobs/idempotency.ts'
import {
  blocksOf,
  changeOfStanding,
  type Kept,
  NOTHING,
  refusalOfGrowth,
  refusalOfJob,
  type Standing,
} from '../../jobs/kept.ts'
import { isSameState, type JobRecord } from '../../jobs/transfer.ts'
import type { StoredEntry } from './entry.ts'
import { NoteDrafts } from './notes.ts'
import type { Draft, Key, SqliteStore } from './store.ts'

/** The response to a request, and the change to publish after the commit. */
export interface Decided<T> {
  answer: T
  wakeUp?: { owner: string; change: Change }
}

/** A job read by the group: its stored state and its state after the group. */
interface Slot {
  readonly stored: StoredEntry | undefined
  readonly before: StoredJob | undefined
  draft: Draft | undefined
}

/**
 * Requests that are committed together. Each request is decided in memory, on the state that the requests before it produced; then each
 * changed job is written once. A refused request writes nothing, and several batches on one job write one header.
 */
export class Group {
  readonly #store: SqliteStore
  readonly #find: (id: string) => StoredEntry | undefined
  readonly #limits: Limits
  readonly #slots = new Map<string, Slot>()
  readonly #generation: string | undefined
  /** Counts of creators as read from the file, and this group's changes to them. */
  readonly #keptInFile = new Map<string, Kept>()
  readonly #liveInFile = new Map<string, number>()
  readonly #changes = new Map<string, Standing>()
  /** Positions given to jobs of another store. */
  readonly #places = new Set<number>()
  readonly notes: NoteDrafts

  /**
   * @param find reads a committed job
   * @param findNote reads a committed note; a Durable Object has none here
   * @param generation the current one, for engines with generations
   */
  constructor(
    store: SqliteStore,
    find: (id: string) => StoredEntry | undefined,
    limits: Limits,
    findNote: (key: string) => string | undefined = () => undefined,
    generation?: string,
  ) {
    this.notes = new NoteDrafts(findNote)
    this.#generation = generation
    this.#store = store
    this.#find = find
    this.#limits = limits
  }

  /** Ids of all jobs read, whether or not they change. */
  get ids(): Iterable<string> {
    return this.#slots.keys()
  }

  create(asked: JobToCreate): Decided<Created> {
    const { header, marks, liveLimit, keptLimit } = asked
    const { id, epoch, version, owner, createdBy } = header
    const slot = this.#slot(id)
    if (slot.draft) return { answer: { created: false, job: slot.draft.job } }
    const live = liveLimit === undefined ? 0 : this.#live(createdBy)
    const kept = keptLimit === undefined ? NOTHING : this.#kept(createdBy)
    const refused = refusalOfJob({ ...kept, live }, asked)
    if (refused) return { answer: { refused } }
    const job = { header, marks: createdIn(this.#generation, marks) }
    slot.draft = draftOf(undefined, job)
    this.#count(undefined, job)
    return {
      answer: { created: true, job },
      wakeUp: { owner, change: { id, epoch, from: 0, to: version, header } },
    }
  }

  apply(id: string, batch: Batch): Decided<Applied> {
    const slot = this.#slot(id)
    const { draft } = slot
    if (!draft) return { answer: { refused: problems.notFound() } }
    const seq = draft.stored?.seq
    const loaded = {
      job: draft.job,
      step: (name: string) => draft.steps.get(name) ?? (seq === undefined ? undefined : this.#store.step(seq, name)),
      item: (name: string) => draft.items.get(name) ?? (seq === undefined ? undefined : this.#store.item(seq, name)),
      key: this.#key(draft, batch),
      generation: this.#generation,
    }
    const outcome = applyBatch(loaded, batch, this.#limits)
    if ('refused' in outcome) return { answer: outcome }
    if ('repeat' in outcome) return { answer: { header: outcome.repeat, repeat: true } }
    const { header } = outcome.commit
    if (this.#store.kept && blocksOf(outcome.commit) > blocksOf(draft.job)) {
      const refused = refusalOfGrowth(this.#kept(header.createdBy), draft.job, outcome.commit, this.#limits)
      if (refused) return { answer: { refused } }
    }
    this.#merge(draft, outcome.commit, batch)
    return {
      answer: { header, repeat: false },
      wakeUp: { owner: header.owner, change: changeOf(outcome.commit) },
    }
  }

  remove(id: string, only: RemoveOnly = {}): Decided<boolean> {
    const slot = this.#slot(id)
    const job = slot.draft?.job
    if (!job || !mayRemove(job, only)) return { answer: false }
    const { header } = job
    slot.draft = undefined
    this.#count(job, undefined)
    const change = { id, epoch: header.epoch, from: header.version, to: header.version, header, removed: true } as const
    return { answer: true, wakeUp: { owner: header.owner, change } }
  }

  /** Takes over a job of another store. See `Transfer.writeRecord`. */
  restore({ header, marks, place, rows, keys }: JobRecord, over: StoredJob | undefined): Decided<boolean> {
    const slot = this.#slot(header.id)
    const { draft: before, stored } = slot
    if ((before === undefined) !== (over === undefined) || !isSameState(before?.job, over)) return { answer: false }
    const draft = draftOf(undefined, { header, marks })
    draft.seq = stored?.seq ?? this.#store.seqFor(place, this.#places)
    for (const { list, row } of rows) {
      if (list === 'steps') draft.steps.set(row.id, row)
      else if (list === 'items') draft.items.set(row.id, row)
      else if (list === 'errors') draft.errors.push(row)
      else draft.logs.push(row)
    }
    for (const { key, digest, at } of keys) {
      draft.keyCount += 1
      draft.keys.set(key, { digest, at, n: draft.keyCount })
    }
    this.#count(before?.job, draft.job)
    slot.draft = draft
    return { answer: true }
  }

  /**
   * Writes the changed jobs, within the caller's transaction.
   *
   * @returns the changed jobs as stored now; `undefined` for a removed job
   */
  write(): Map<string, StoredEntry | undefined> {
    const saved = new Map<string, StoredEntry | undefined>()
    for (const [id, slot] of this.#slots) {
      const { stored, draft } = slot
      if (!isChanged(slot)) continue
      if (stored && draft?.stored !== stored) this.#store.remove(stored, draft?.seq === stored.seq)
      saved.set(id, draft && this.#store.save(draft))
    }
    return saved
  }

  #slot(id: string): Slot {
    const known = this.#slots.get(id)
    if (known) return known
    const stored = this.#find(id)
    const slot: Slot = { stored, before: stored?.job, draft: stored && draftOf(stored, stored.job) }
    this.#slots.set(id, slot)
    return slot
  }

  #key(draft: Draft, batch: Batch): Key | undefined {
    const { key } = batch
    if (!key) return undefined
    const known = draft.keys.get(key.key) ?? (draft.stored && this.#store.key(draft.stored.seq, key.key))
    const isKept = known && known.n > draft.keyCount - KEYS_KEPT && !isForgotten(known.at, batch)
    return isKept ? known : undefined
  }

  #merge(draft: Draft, { header, marks, steps, items, errors, logs }: Commit, batch: Batch): void {
    const job = { header, marks }
    this.#count(draft.job, job)
    draft.job = job
    for (const step of steps) draft.steps.set(step.id, step)
    for (const item of items) draft.items.set(item.id, item)
    draft.errors.push(...errors)
    draft.logs.push(...logs)
    if (!batch.key) return
    draft.keyCount += 1
    draft.keys.set(batch.key.key, { digest: batch.key.digest, at: Date.parse(batch.at), n: draft.keyCount })
    draft.keyHorizon = batch.keyHorizon
  }

  /** Adds one job's change to the counts of its creator. */
  #count(before: StoredJob | undefined, after: StoredJob | undefined): void {
    if (!this.#store.kept) return
    const { live, jobs, blocks } = changeOfStanding(before, after)
    if (live === 0 && jobs === 0 && blocks === 0) return
    const createdBy = (after ?? before)?.header.createdBy ?? ''
    const known = this.#changes.get(createdBy) ?? NOTHING
    this.#changes.set(createdBy, {
      live: known.live + live,
      jobs: known.jobs + jobs,
      blocks: known.blocks + blocks,
    })
  }

  /** Reads the file once per group and creator. */
  #kept(createdBy: string): Kept {
    const inFile = this.#keptInFile.get(createdBy) ?? this.#store.kept?.of(createdBy) ?? NOTHING
    this.#keptInFile.set(createdBy, inFile)
    const { jobs, blocks } = this.#changes.get(createdBy) ?? NOTHING
    return { jobs: inFile.jobs + jobs, blocks: inFile.blocks + blocks }
  }

  #live(createdBy: string): number {
    const inFile = this.#liveInFile.get(createdBy) ?? this.#store.kept?.countLive(createdBy) ?? 0
    this.#liveInFile.set(createdBy, inFile)
    return inFile + (this.#changes.get(createdBy)?.live ?? 0)
  }
}

const isChanged = ({ stored, before, draft }: Slot): boolean => draft?.stored !== stored || draft?.job !== before

/** A draft that continues a stored job or begins a new one. */
export function draftOf(stored: StoredEntry | undefined, job: StoredJob): Draft {
  const keyCount = stored?.keyCount ?? 0
  return { stored, job, keyCount, steps: new Map(), items: new Map(), errors: [], logs: [], keys: new Map() }
}
