import type { Limits } from '../../shared/limits.ts'
import { isTerminalStatus } from '../../shared/selectors.ts'
import { applyBatch } from '../apply-batch.ts'
import type { Applied, Batch, Change, Commit, Created, NewJob, StoredJob } from '../engine.ts'
import { problems } from '../errors.ts'
import { KEY_LIFETIME, KEYS_KEPT } from './idempotency.ts'
import { type Draft, type Entry, isMoreThanHead, type Key, type Redo, type SqliteStore } from './sqlite-store.ts'

/** An answer, and the change that is told when it has been written. */
export interface Decided<T> {
  answer: T
  told?: { owner: string; change: Change }
}

/** Batches of one job that are logged; more cost more than to save the job at once. */
const LOGGED_EVENTS = 8

/** A job that the group has looked at: as it was, and as it will be. */
interface Slot {
  readonly stored: Entry | undefined
  readonly before: StoredJob | undefined
  draft: Draft | undefined
  /** What the group applies to it. */
  readonly redo: Redo[]
  events: number
}

/** What a group has written. */
export interface Written {
  /** The jobs that were saved, as the file has them now; nothing of those that were removed. */
  saved: Map<string, Entry | undefined>
  /** The jobs of which it was logged what was applied to them: as they are to be saved later. */
  logged: Map<string, Draft>
  /** Characters that were logged. */
  size: number
}

/**
 * What is committed together: each request is decided upon what those before it will have done, in memory, and only then is
 * everything written, each job once. So a refused request has written nothing, and several batches on one job cost one header.
 */
export class Group {
  readonly #store: SqliteStore
  readonly #find: (id: string) => Draft | undefined
  readonly #limits: Limits
  readonly #slots = new Map<string, Slot>()
  readonly #live = new Map<string, number>()
  #isCheck = false

  /** @param find what goes on with a job: a draft of its own, or one that was not saved yet, which then changes */
  constructor(store: SqliteStore, find: (id: string) => Draft | undefined, limits: Limits) {
    this.#store = store
    this.#find = find
    this.#limits = limits
  }

  /** The jobs that were looked at, whether or not they change. */
  get ids(): Iterable<string> {
    return this.#slots.keys()
  }

  create({ header, marks, liveLimit }: NewJob): Decided<Created> {
    const { id, epoch, version, owner, createdBy } = header
    const slot = this.#slot(id)
    if (slot.draft) return { answer: { created: false, job: slot.draft.job } }
    if (liveLimit !== undefined && this.#countLive(createdBy) >= liveLimit) {
      const detail = `You have ${liveLimit} jobs that have not ended. End some, then try again.`
      return { answer: { refused: problems.tooMany(detail) } }
    }
    const job = { header, marks }
    slot.draft = draftOf(undefined, job)
    return {
      answer: { created: true, job },
      told: { owner, change: { id, epoch, from: 0, to: version, header } },
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
    }
    const outcome = applyBatch(loaded, batch, this.#limits)
    if ('refused' in outcome) return { answer: outcome }
    if ('repeat' in outcome) return { answer: { header: outcome.repeat, repeat: true } }
    const { header, from, events } = outcome.commit
    this.#merge(draft, outcome.commit, batch)
    slot.redo.push({ id, epoch: header.epoch, to: header.version, batch })
    slot.events += events.length
    return {
      answer: { header, repeat: false },
      told: { owner: header.owner, change: { id, epoch: header.epoch, from, to: header.version, events, header } },
    }
  }

  /** Applies again what was logged, unless its job has been saved since. */
  redo({ id, epoch, to, batch }: Redo): void {
    const header = this.#slot(id).draft?.job.header
    if (header?.epoch === epoch && header.version < to) this.apply(id, batch)
  }

  remove(id: string, epoch?: string): Decided<boolean> {
    const slot = this.#slot(id)
    const header = slot.draft?.job.header
    if (!header || (epoch !== undefined && epoch !== header.epoch)) return { answer: false }
    slot.draft = undefined
    const change = { id, epoch: header.epoch, from: header.version, to: header.version, header, removed: true } as const
    return { answer: true, told: { owner: header.owner, change } }
  }

  /** Makes the group read and write the file even when nothing changes. */
  check(): Decided<void> {
    this.#isCheck = true
    return { answer: undefined }
  }

  /** Whether there is nothing to write: all was refused, or done before. */
  get isEmpty(): boolean {
    return !this.#isCheck && [...this.#slots.values()].every((slot) => !isChanged(slot))
  }

  /** The jobs that change, as they are to be saved. */
  get drafts(): Map<string, Draft> {
    const drafts = new Map<string, Draft>()
    for (const [id, slot] of this.#slots) if (slot.draft && isChanged(slot)) drafts.set(id, slot.draft)
    return drafts
  }

  /**
   * Writes what was decided, within a transaction of the caller.
   *
   * @param canLog rather than save a job, logs what was applied to it, where that is less
   */
  write(canLog = false): Written {
    const written: Written = { saved: new Map(), logged: new Map(), size: 0 }
    const redo: Redo[] = []
    for (const [id, slot] of this.#slots) {
      const { stored, draft } = slot
      if (stored && draft?.stored !== stored) {
        this.#store.remove(stored.seq)
        written.saved.set(id, undefined)
      }
      if (!draft || !isChanged(slot)) continue
      if (canLog && slot.events <= LOGGED_EVENTS && !isMoreThanHead(draft)) {
        written.logged.set(id, draft)
        redo.push(...slot.redo)
      } else written.saved.set(id, this.#store.save(draft))
    }
    if (redo.length > 0) written.size = this.#store.log(redo)
    if (this.#isCheck) this.#store.touch()
    return written
  }

  #slot(id: string): Slot {
    const known = this.#slots.get(id)
    if (known) return known
    const draft = this.#find(id)
    const slot: Slot = { stored: draft?.stored, before: draft?.job, draft, redo: [], events: 0 }
    this.#slots.set(id, slot)
    return slot
  }

  #key(draft: Draft, { key, at }: Batch): Key | undefined {
    if (!key) return undefined
    const known = draft.keys.get(key.key) ?? (draft.stored && this.#store.key(draft.stored.seq, key.key))
    const isKept = known && known.n > draft.keyCount - KEYS_KEPT && Date.parse(at) - known.at < KEY_LIFETIME
    return isKept ? known : undefined
  }

  #merge(draft: Draft, { header, marks, steps, items, errors, logs }: Commit, batch: Batch): void {
    draft.job = { header, marks }
    for (const step of steps) draft.steps.set(step.id, step)
    for (const item of items) draft.items.set(item.id, item)
    draft.errors.push(...errors)
    draft.logs.push(...logs)
    if (!batch.key) return
    draft.keyCount += 1
    draft.keys.set(batch.key.key, { digest: batch.key.digest, at: Date.parse(batch.at), n: draft.keyCount })
  }

  /** Counts the file once a group, and adds what the group itself does. */
  #countLive(createdBy: string): number {
    let live = this.#live.get(createdBy)
    if (live === undefined) {
      live = this.#store.countLive(createdBy)
      this.#live.set(createdBy, live)
    }
    const counts = (state: Pick<Draft, 'job'> | undefined) =>
      state && state.job.header.createdBy === createdBy && !isTerminalStatus(state.job.header.status) ? 1 : 0
    for (const { stored, draft } of this.#slots.values()) live += counts(draft) - counts(stored)
    return live
  }
}

const isChanged = ({ stored, before, draft }: Slot): boolean => draft?.stored !== stored || draft?.job !== before

/** What continues a stored job, or begins a new one. */
export function draftOf(stored: Entry | undefined, job: StoredJob): Draft {
  const keyCount = stored?.keyCount ?? 0
  return { stored, job, keyCount, steps: new Map(), items: new Map(), errors: [], logs: [], keys: new Map() }
}
