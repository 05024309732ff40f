import { qualify, tenantOf } from '../../shared/document/tenant.ts'
import { type Clock, nextTurn, type Random, randomId, type Timer } from '../../shared/time/clock.ts'
import {
  type AuditAction,
  type AuditList,
  type AuditQuery,
  type AuditRecord,
  auditActions,
} from '../../shared/wire/api.ts'
import type { Engine, Note, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import { surplusOf } from './audit-surplus.ts'
import { withoutTokens } from './token-prefix.ts'

/** Most records stored of each action; the oldest of the actor with the most are dropped. */
const MAX_RECORDS = 10_000
/** Records of an action that a process writes between two checks of their number: by at most this many it may be too high. */
const TRIM_EVERY = 1_000
/** How long acts are counted together: milliseconds. */
const WINDOW_MS = 600_000
/** Most records of a window: of an action and a principal, by what it is. More are only counted. */
const MAX_ACTS = 50
const MAX_REFUSALS = 10
/** Most principals of a window, an action and a tenant, and most addresses of an action, that have records of their own. */
const MAX_ACTORS = 1_000
const MAX_ADDRESSES = 100
/** The same of all tenants and actions together. */
const MAX_TALLIES = 50_000
/** Most records being written. */
const MAX_PENDING = 100
/** Notes per read. */
const PAGE = 100
/** Most records read for a page: with a filter, few may match. */
const MAX_READ = 1_000

const refusals: ReadonlySet<AuditAction> = new Set(['refused', 'credentials-refused'])

/** What happened, to be recorded. Its names are full ones, as all tenants together know them. */
export type AuditEntry = Omit<AuditRecord, 'at'>

/** What one principal, or one address, did in a window. */
interface Tally extends Pick<AuditRecord, 'action' | 'sub' | 'address'> {
  recorded: number
  unrecorded: number
}

/** Options of an {@link Audit}. */
export interface AuditOptions {
  engine: Pick<Engine, 'notes'>
  clock: Clock
  random: Random
  /** How long records are kept: seconds. */
  seconds: number
  /** Does not throw. */
  onRecord?: ((record: AuditRecord) => void) | undefined
  onError: (error: unknown) => void
}

/**
 * Who did what, and who was refused what: notes in the store, in a place of its own for each action, so that a flood of one displaces no
 * other. Bounded by age, in number, and in rate: of what exceeds the rate the number is recorded.
 *
 * What principals of a tenant did is stored once more, in a place of the tenant and with its names, for its administrators.
 */
export class Audit {
  readonly #options: AuditOptions
  readonly #notes: Notes
  readonly #clock: Clock
  readonly #tallies = new Map<string, Tally>()
  /** How many have a tally: addresses by action, principals by action and tenant. None of these uses up the tallies of another. */
  readonly #actors = new Map<string, number>()
  /** Records of an action that are written before their number is checked. */
  readonly #untilTrim = new Map<AuditAction, number>()
  readonly #pending = new Set<Promise<void>>()
  #windowBegan: number
  #windowEnds = 0
  #timer: Timer | undefined
  #lastPlace = 0
  #hasFailed = false
  #isClosed = false

  constructor(options: AuditOptions) {
    this.#options = options
    this.#notes = options.engine.notes
    this.#clock = options.clock
    this.#windowBegan = options.clock.now()
  }

  /** Records an entry, or counts it when there are too many. @returns resolves once it is stored, or failed to be; never rejects */
  record(entry: AuditEntry): Promise<void> {
    this.#endWindow()
    const tally = this.#tallyOf(entry)
    const most = refusals.has(entry.action) ? MAX_REFUSALS : MAX_ACTS
    if (tally.recorded < most && this.#pending.size < MAX_PENDING) {
      tally.recorded += 1
      return this.#write(entry)
    }
    this.#count(tally, 1)
    return Promise.resolve()
  }

  /** A page of records, newest first: of what principals of a tenant did, or of everything. */
  async list(tenant: string | undefined, { sub, action, limit, cursor }: AuditQuery): Promise<AuditList> {
    this.#endWindow()
    const oldest = this.#clock.now() - this.#options.seconds * 1_000
    const records: AuditRecord[] = []
    let read = 0
    const place = await placeOfTenant(tenant)
    const prefixes = (action === undefined ? auditActions : [action]).map((one) => prefixOf(one, place))
    for await (const { key, text } of this.#newest(prefixes, cursor)) {
      const record: AuditRecord = JSON.parse(text)
      if (Date.parse(record.at) > oldest && (sub === undefined || record.sub === sub)) records.push(record)
      if (records.length === limit || ++read === MAX_READ) return { records, nextCursor: placeIn(key) }
    }
    return { records }
  }

  /** Records what is only counted so far, and waits until all is stored. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#windowEnds = 0
    this.#endWindow()
    await Promise.all(this.#pending)
  }

  /** The notes of several actions, by their place. */
  async *#newest(prefixes: readonly string[], cursor: string | undefined): AsyncGenerator<Note> {
    const lanes = prefixes.map((prefix) => {
      return { prefix, notes: [] as Note[], after: cursor && prefix + cursor, isLast: false }
    })
    for (;;) {
      const toRead = lanes.filter(({ notes, isLast }) => notes.length === 0 && !isLast)
      const read = async (lane: (typeof lanes)[number]) => {
        lane.notes = await this.#notes.list({ prefix: lane.prefix, after: lane.after, limit: PAGE })
        lane.isLast = lane.notes.length < PAGE
        lane.after = lane.notes.at(-1)?.key
      }
      if (toRead.length > 0) await Promise.all(toRead.map(read))
      let next: (typeof lanes)[number] | undefined
      for (const lane of lanes) if (placeOf(lane) < placeOf(next)) next = lane
      const note = next?.notes.shift()
      if (!note) return
      yield note
    }
  }

  #tallyOf({ action, sub, address }: AuditEntry): Tally {
    const who = sub === undefined ? { action, address } : { action, sub }
    const key = JSON.stringify(who)
    const known = this.#tallies.get(key)
    if (known) return known
    const [group, most] =
      sub === undefined ? [`${action} by address`, MAX_ADDRESSES] : [qualify(tenantOf(sub), action), MAX_ACTORS]
    const actors = this.#actors.get(group) ?? 0
    if (actors < most && this.#tallies.size < MAX_TALLIES) {
      this.#actors.set(group, actors + 1)
      const tally = { ...who, recorded: 0, unrecorded: 0 }
      this.#tallies.set(key, tally)
      return tally
    }
    // All others together.
    const others = this.#tallies.get(action) ?? { action, recorded: Number.POSITIVE_INFINITY, unrecorded: 0 }
    this.#tallies.set(action, others)
    return others
  }

  #count(tally: Tally, by: number): void {
    tally.unrecorded += by
    if (this.#isClosed) return
    this.#timer ??= this.#clock.setTimeout(
      () => this.#endWindow(),
      Math.max(0, this.#windowEnds - this.#clock.monotonic()),
    )
  }

  /** Begins the next window if this one is over, and records how many had no record in it. Where no timer fires, the next call does. */
  #endWindow(): void {
    const now = this.#clock.monotonic()
    if (now < this.#windowEnds) return
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    const since = new Date(this.#windowBegan).toISOString()
    const tallies = [...this.#tallies.values()]
    this.#tallies.clear()
    this.#actors.clear()
    // On Workers a request that is cut off takes its write with it, and its promise never settles.
    if (!this.#isClosed) this.#pending.clear()
    this.#windowBegan = this.#clock.now()
    this.#windowEnds = now + WINDOW_MS
    for (const { recorded: _, ...counted } of tallies)
      if (counted.unrecorded > 0) void this.#write({ ...counted, since })
  }

  #write(entry: AuditEntry): Promise<void> {
    const writing = this.#store(entry).finally(() => this.#pending.delete(writing))
    this.#pending.add(writing)
    return writing
  }

  async #store(entry: AuditEntry): Promise<void> {
    const { seconds, onRecord, onError } = this.#options
    const now = this.#clock.now()
    const record = { at: new Date(now).toISOString(), ...harmless(entry) }
    onRecord?.(record)
    try {
      const place = this.#nextPlace(now)
      const until = now + seconds * 1_000
      await this.#notes.put({ key: prefixOf(entry.action) + place, text: JSON.stringify(record) }, until, now)
      await this.#storeForTenant(record, place, until, now)
      this.#hasFailed = false
    } catch (error) {
      if (!this.#hasFailed) onError(error)
      this.#hasFailed = true
      this.#count(this.#tallyOf(entry), entry.unrecorded ?? 1)
      return
    }
    await this.#trimSometimes(entry.action).catch(onError)
  }

  async #storeForTenant(record: AuditRecord, place: string, until: number, now: number): Promise<void> {
    const tenant = record.sub === undefined ? undefined : tenantOf(record.sub)
    if (tenant === undefined) return
    const prefix = prefixOf(record.action, await placeOfTenant(tenant))
    await this.#notes.put({ key: prefix + place, text: JSON.stringify(withoutTenant(record, tenant)) }, until, now)
    // No counts per tenant, of which there may be very many.
    if (this.#options.random.number() * TRIM_EVERY < 1) await this.#trim(prefix)
  }

  /** A key by which newer records come first: in the order in which this process writes them. */
  #nextPlace(now: number): string {
    this.#lastPlace = Math.max(now, this.#lastPlace + 1)
    const place = (2 ** 48 - 1 - this.#lastPlace).toString(16).padStart(12, '0')
    return `${place}-${randomId(this.#options.random, 8)}`
  }

  async #trimSometimes(action: AuditAction): Promise<void> {
    // A process that never writes so many begins anywhere between two checks, so that many of them check as often as one.
    const left = this.#untilTrim.get(action) ?? Math.floor(this.#options.random.number() * TRIM_EVERY)
    this.#untilTrim.set(action, left > 0 ? left - 1 : TRIM_EVERY - 1)
    if (left === 0) await this.#trim(prefixOf(action))
  }

  /** Deletes the oldest records of the actors with the most, so that a busy actor does not displace the records of others. */
  async #trim(prefix: string): Promise<void> {
    const all: { key: string; sub: string | undefined }[] = []
    let page: Note[] | undefined
    while (!page || page.length === PAGE) {
      if (page) await nextTurn(this.#clock)
      page = await this.#notes.list({ prefix, after: page?.at(-1)?.key, limit: PAGE })
      if (this.#isClosed) return
      for (const { key, text } of page) all.push({ key, sub: (JSON.parse(text) as AuditRecord).sub })
    }
    const surplus = surplusOf(all, MAX_RECORDS)
    for (let place = 0; place < surplus.length && !this.#isClosed; place += PAGE) {
      await Promise.all(surplus.slice(place, place + PAGE).map(({ key }) => this.#notes.take(key)))
      await nextTurn(this.#clock)
    }
  }
}

/** An entry whose texts have no tokens. Names and paths are from requests. */
function harmless(entry: AuditEntry): AuditEntry {
  const clean = Object.entries(entry).map(([name, value]) => [
    name,
    typeof value === 'string' ? withoutTokens(value) : value,
  ])
  return Object.fromEntries(clean)
}

/** A record as a tenant knows its names. */
function withoutTenant(record: AuditRecord, tenant: string): AuditRecord {
  const prefix = qualify(tenant, '')
  const plain = { ...record }
  for (const name of ['sub', 'for', 'job'] as const) {
    const full = plain[name]
    if (full?.startsWith(prefix)) plain[name] = full.slice(prefix.length)
  }
  return plain
}

/** Digits of the digest in the place of a tenant's records. */
const TENANT_LENGTH = 32

/** Part of a key: where the records of a tenant are; empty for those of all. */
const placeOfTenant = async (tenant: string | undefined) =>
  tenant === undefined ? '' : `-${(await textDigest(tenant)).slice(0, TENANT_LENGTH)}`

const prefixOf = (action: AuditAction, place = '') => `audit-${action}${place}/`
const placeIn = (key: string) => key.slice(key.indexOf('/') + 1)
/** The place of a lane's next note; one that comes last without notes. */
const placeOf = (lane: { notes: readonly Note[] } | undefined) => placeIn(lane?.notes[0]?.key ?? '/~')
