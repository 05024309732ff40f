import type { JobHeader } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import type { DueList } from '../../jobs/engine.ts'
import { listOf } from '../../jobs/tenant-documents.ts'

/**
 * Untrusted text as a part of a key or of a hash field, injectively: Redis gets UTF-8, which would merge unpaired surrogates. JSON escapes
 * them.
 */
export function safeText(text: string): string {
  return text.isWellFormed() ? `=${text}` : JSON.stringify(text)
}

/** The name of a row in the hash of a job's rows. Errors and log lines are named by their place in the window. */
export const rowField = {
  step: (id: string) => `s${safeText(id)}`,
  item: (id: string) => `i${safeText(id)}`,
  error: (place: number) => `e${place}`,
  log: (place: number) => `l${place}`,
} as const

/** The owner of a job, and the list of its tenant, which stands in place of one. */
function ownersOf(id: string, owner: string): string[] {
  const list = listOf(id)
  return list === undefined ? [owner] : [owner, list]
}

/** The keys and channels of a partition. All have its hash tag, so that they are in one slot. */
export class PartitionKeys {
  /** The keys of jobs are this and their ids. */
  readonly jobPrefix: string
  /** Format of the store. */
  readonly format: string
  /** Place of the newest job in the order of creation. */
  readonly newest: string
  /** The node that sweeps the partition. */
  readonly sweeper: string
  /** Notes: texts by key, keys in their order, and keys by expiry. */
  readonly notes: string
  readonly noteOrder: string
  readonly noteExpiry: string
  /** All kinds of jobs, in the order of their bytes. */
  readonly kinds: string
  /** All creators, by the blocks of their documents. */
  readonly creators: string
  /** Written to confirm what was written before. */
  readonly confirm: string
  /** Channel of all changes. */
  readonly everyone: string
  readonly #prefix: string
  readonly #channelPrefix: string

  /** @param database its number is in the channels, because all databases of a server share these */
  constructor(tag: string, database: number) {
    this.#prefix = `mp:{${tag}}:`
    this.#channelPrefix = `${this.#prefix}${database}:`
    this.jobPrefix = `${this.#prefix}job:`
    this.format = `${this.#prefix}format`
    this.newest = `${this.#prefix}newest`
    this.sweeper = `${this.#prefix}sweeper`
    this.notes = `${this.#prefix}notes`
    this.noteOrder = `${this.#prefix}note-order`
    this.noteExpiry = `${this.#prefix}note-expiry`
    this.kinds = `${this.#prefix}kinds`
    this.creators = `${this.#prefix}creators`
    this.confirm = `${this.#prefix}confirm`
    this.everyone = `${this.#channelPrefix}everyone`
  }

  /** Head of a job. */
  job(id: string): string {
    return this.jobPrefix + id
  }

  /** Rows of a job by name. */
  rows(id: string): string {
    return `${this.#prefix}rows:${id}`
  }

  /** Names of a job's rows by the version that last changed them. */
  versions(id: string): string {
    return `${this.#prefix}versions:${id}`
  }

  /** Rows that are put aside for a job of another store, and their names by version. */
  staged(id: string): [rows: string, versions: string] {
    return [`${this.#prefix}staged-rows:${id}`, `${this.#prefix}staged-versions:${id}`]
  }

  /** Idempotency keys of a job, with their digests. */
  used(id: string): string {
    return `${this.#prefix}keys:${id}`
  }

  /** The same keys in the order of their use. */
  usedOrder(id: string): string {
    return `${this.#prefix}key-order:${id}`
  }

  /** Counts of a creator. */
  creator(createdBy: string): string {
    return `${this.#prefix}creator:${safeText(createdBy)}`
  }

  /** Channel of a job's changes. */
  jobChannel(id: string): string {
    return `${this.#channelPrefix}job:${id}`
  }

  /** Channel of the changes of an owner's jobs. */
  ownerChannel(owner: string): string {
    return `${this.#channelPrefix}owner:${safeText(owner)}`
  }

  /** The channels of a job's changes. */
  channels(id: string, owner: string): string[] {
    return [this.jobChannel(id), ...ownersOf(id, owner).map((whose) => this.ownerChannel(whose)), this.everyone]
  }

  due(list: DueList): string {
    return `${this.#prefix}due:${list}`
  }

  /** The index of a list by one value of one field, or `all`. @param owner `undefined`: the jobs of all owners */
  list(owner: string | undefined, field: ListField, value = ''): string {
    const whose = owner === undefined ? '' : safeText(owner)
    // The length keeps owner and value apart.
    return `${this.#prefix}list:${field}:${whose.length}:${whose}${value}`
  }

  /** All indexes that a job is in. */
  lists({ id, owner, kind, status, parentId }: JobHeader): string[] {
    return [...ownersOf(id, owner), undefined].flatMap((whose) => [
      this.list(whose, 'all'),
      this.list(whose, 'kind', safeText(kind)),
      this.list(whose, 'status', status),
      ...(parentId === undefined ? [] : [this.list(whose, 'parent', safeText(parentId))]),
      ...(isTerminalStatus(status) ? [] : [this.list(whose, 'live')]),
    ])
  }

  /** Channel by which a node tests its subscriptions. */
  probe(node: string): string {
    return `${this.#channelPrefix}probe:${node}`
  }
}

/** The fields by which jobs are listed. */
type ListField = 'all' | 'kind' | 'status' | 'parent' | 'live'

/** The text of a {@link safeText}. */
export function originalText(part: string): string {
  return part.startsWith('=') ? part.slice(1) : (JSON.parse(part) as string)
}
