import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import { LruCache } from '../support/lru.ts'
import { fullName, type Principal, type Scope } from './access.ts'
import { withPrefix } from './token-prefix.ts'

/** Longest life of a session: seconds. */
export const SESSION_SECONDS = 43_200
/** Most sessions per principal: a new one ends the oldest. */
const MAX_SESSIONS = 100
/** Sessions per page of a list. */
const PAGE = 100
/** Longest chain of sessions made by each other's sign-in links: each use of a session looks up those before it. */
export const MAX_CHAIN = 8
/** How long a session is cached: milliseconds. Other processes notice its end at most this much later. */
const CACHE_MS = 5_000
/** Most sessions in the LRU cache. */
const CACHE_SIZE = 10_000
/**
 * Parts of the cookie, in characters: digests of the tenant, if there is one, and of the principal's name, which locate the session, and the
 * secret, 5 bits each.
 */
const PLACE_LENGTH = 16
const SECRET_LENGTH = 26

const COOKIE = /^mpst_session_([0-9a-f]{16})?([0-9a-f]{16})[0-9a-v]{26}$/
/** Format of a session id: that of its note's key. */
const SESSION_ID = /^(?:[0-9a-f]{16}-){1,2}[0-9a-f]{64}$/
const PREFIX = 'session/'

/** A session in the store. Its key has a digest of the cookie, which does not reveal the cookie. */
interface StoredSession {
  sub: string
  tenant?: string
  scopes: readonly Scope[]
  /** Milliseconds since the Unix epoch. */
  createdAt: number
  until: number
  /** Ids of the sessions that it ends with: the one whose sign-in link made it, then those that this one ends with. */
  parents?: readonly string[]
}

/** Whose sessions to list. */
interface Whose {
  /** Omitted: those of all tenants and of none. */
  tenant?: string | undefined
  /** Omitted: those of all principals. */
  sub?: string | undefined
}

/** A session in a list. */
interface Listed extends Pick<StoredSession, 'sub' | 'tenant' | 'scopes'> {
  id: string
  /** ISO 8601. */
  createdAt: string
  expiresAt: string
  /** Id of the session whose sign-in link made it, if any. */
  parent?: string
}

/**
 * Sessions of browsers. A cookie is random, and its session is in the store, so that any process can end it.
 *
 * A session id contains the digest of its cookie, and is no secret.
 *
 * A session that was made by another's sign-in link ends with that one. It names all sessions before it, so that nothing has to be changed in
 * the store when one of them ends.
 */
export class Sessions {
  readonly #notes: Notes
  readonly #clock: Clock
  readonly #random: Random
  readonly #onEnd: (id: string) => void
  readonly #cache = new LruCache<string, { stored: StoredSession; at: number }>(CACHE_SIZE)
  /** Incremented when a session ends: reads that overlap it are not cached. */
  #ends = 0

  /** @param options.onEnd called when this process ends a session, and for each session known here that ends with it */
  constructor(options: { engine: Pick<Engine, 'notes'>; clock: Clock; random: Random; onEnd: (id: string) => void }) {
    this.#notes = options.engine.notes
    this.#clock = options.clock
    this.#random = options.random
    this.#onEnd = options.onEnd
  }

  /** Starts a session. @returns its id, its cookie and its life in seconds. It ends with the principal's credentials at the latest */
  async create(principal: Principal): Promise<{ id: string; cookie: string; seconds: number }> {
    const { sub, tenant, scopes, expiresAt, session } = principal
    const parents = session === undefined ? undefined : [session, ...((await this.#find(session))?.parents ?? [])]
    const now = this.#clock.now()
    const until = Math.min(now + SESSION_SECONDS * 1_000, expiresAt ?? Number.POSITIVE_INFINITY)
    const place = await placeOf(principal)
    await this.#makeRoom(place)
    const cookie = withPrefix('session', place.replace('/', '') + randomId(this.#random, SECRET_LENGTH))
    const stored: StoredSession = { sub, scopes, createdAt: now, until }
    if (tenant !== undefined) stored.tenant = tenant
    if (parents) stored.parents = parents
    const key = `${PREFIX}${place}/${await textDigest(cookie)}`
    await this.#notes.put({ key, text: JSON.stringify(stored) }, until, now)
    return { id: idIn(key), cookie, seconds: Math.floor((until - now) / 1_000) }
  }

  /** The principal of a cookie; `undefined` when its session has ended. */
  async principalOf(cookie: string): Promise<Principal | undefined> {
    const id = await idOf(cookie)
    const stored = id && (await this.#find(id))
    if (!stored) return undefined
    const { sub, tenant, scopes, until } = stored
    const principal: Principal = { sub, scopes, expiresAt: until, session: id }
    return tenant === undefined ? principal : { ...principal, tenant }
  }

  /** Whether the cache has the session as open. */
  isKnown(id: string): boolean {
    const stored = this.#known(id)
    return stored !== undefined && (stored.parents ?? []).every((parent) => this.#known(parent))
  }

  /** Whether a session is open. */
  async isOpen(id: string): Promise<boolean> {
    return (await this.#find(id)) !== undefined
  }

  /** Whether a session may make sign-in links: not the last of the longest chain. */
  async mayMakeLinks(id: string): Promise<boolean> {
    return ((await this.#find(id))?.parents?.length ?? 0) < MAX_CHAIN - 1
  }

  /** Whose a session is, read from the store and not from the cache; `undefined` when there is no such session. */
  async holderOf(id: string): Promise<Pick<Principal, 'sub' | 'tenant'> | undefined> {
    return SESSION_ID.test(id) ? this.#read(id) : undefined
  }

  /** Ends the session of a cookie, if any. */
  async endOf(cookie: string): Promise<void> {
    const id = await idOf(cookie)
    if (id !== undefined) await this.end(id)
  }

  /** Ends a session, and those made by its sign-in links, for all processes. @returns whether it existed */
  async end(id: string): Promise<boolean> {
    const text = await this.#notes.take(keyOf(id))
    this.#ends += 1
    this.#cache.delete(id)
    this.#onEnd(id)
    for (const [other, { stored }] of this.#cache.entries()) if (stored.parents?.includes(id)) this.#onEnd(other)
    return text !== undefined
  }

  /**
   * A page of the sessions of one principal, of a tenant or of all, sorted within the page: newest first.
   *
   * @param cursor `nextCursor` of the previous page
   * @throws ProblemError 422 for the cursor of another list
   */
  async list(whose: Whose, cursor: string | undefined): Promise<{ sessions: Listed[]; nextCursor?: string }> {
    const prefix = PREFIX + (await folderOf(whose))
    const after = cursor && keyOf(cursor)
    if (after !== undefined && !after.startsWith(prefix)) {
      throw refuse(problems.invalid([{ field: 'cursor', detail: 'is of another list' }]))
    }
    const notes = await this.#notes.list({ prefix, after, limit: PAGE })
    const now = this.#clock.now()
    const stored = notes
      .map(({ key, text }) => ({ id: idIn(key), ...(JSON.parse(text) as StoredSession) }))
      .filter((session) => session.until > now && isWithin(session, whose))
      .sort((a, b) => b.createdAt - a.createdAt)
    const parents = [...new Set(stored.flatMap((session) => session.parents ?? []))]
    const found = await Promise.all(parents.map((id) => this.#findAlone(id)))
    const ended = new Set(parents.filter((_, index) => !found[index]))
    const sessions = stored
      .filter((session) => !session.parents?.some((id) => ended.has(id)))
      .map(({ id, createdAt, until, parents: [parent] = [], ...session }) => {
        const times = { createdAt: new Date(createdAt).toISOString(), expiresAt: new Date(until).toISOString() }
        return { id, ...session, ...times, ...(parent === undefined ? {} : { parent }) }
      })
    const last = notes.length === PAGE ? notes.at(-1) : undefined
    return { sessions, ...(last ? { nextCursor: idIn(last.key) } : {}) }
  }

  /** Ends a principal's oldest sessions if it has reached the limit. */
  async #makeRoom(place: string): Promise<void> {
    const notes = await this.#notes.list({ prefix: `${PREFIX}${place}/`, limit: 2 * MAX_SESSIONS })
    if (notes.length < MAX_SESSIONS) return
    const made = notes.map(({ key, text }) => ({
      id: idIn(key),
      createdAt: (JSON.parse(text) as StoredSession).createdAt,
    }))
    made.sort((a, b) => a.createdAt - b.createdAt)
    for (const { id } of made.slice(0, notes.length - MAX_SESSIONS + 1)) await this.end(id)
  }

  /** An open session. */
  async #find(id: string): Promise<StoredSession | undefined> {
    const stored = await this.#findAlone(id)
    if (!stored?.parents) return stored
    const parents = await Promise.all(stored.parents.map((parent) => this.#findAlone(parent)))
    return parents.every((parent) => parent !== undefined) ? stored : undefined
  }

  /** A session, whether or not those that it ends with are open. */
  async #findAlone(id: string): Promise<StoredSession | undefined> {
    const known = this.#known(id)
    if (known) return known
    const ends = this.#ends
    const stored = await this.#read(id)
    if (stored && ends === this.#ends) this.#cache.set(id, { stored, at: this.#clock.monotonic() }, 1)
    return stored
  }

  #known(id: string): StoredSession | undefined {
    const cached = this.#cache.get(id)
    const isFresh = cached && this.#clock.monotonic() - cached.at < CACHE_MS
    return isFresh && cached.stored.until > this.#clock.now() ? cached.stored : undefined
  }

  async #read(id: string): Promise<StoredSession | undefined> {
    const text = await this.#notes.get(keyOf(id))
    if (text === undefined) return undefined
    const stored: StoredSession = JSON.parse(text)
    return stored.until > this.#clock.now() ? stored : undefined
  }
}

/** The session id of a cookie; `undefined` for text that is not in the form of our cookies. */
async function idOf(cookie: string): Promise<string | undefined> {
  const [, tenant, place] = COOKIE.exec(cookie) ?? []
  return place && `${tenant === undefined ? '' : `${tenant}-`}${place}-${await textDigest(cookie)}`
}

/** Part of a key: where the sessions of a principal or of a tenant are, among others. */
const partOf = async (name: string) => (await textDigest(name)).slice(0, PLACE_LENGTH)

/** Where the sessions of a tenant are listed: one word, of its own whatever principals are called. */
const tenantPart = (tenant: string) => partOf(`tenant\n${tenant}`)

/** The path of a principal's sessions, under which the store lists them. */
async function placeOf(principal: Pick<Principal, 'sub' | 'tenant'>): Promise<string> {
  const part = await partOf(fullName(principal))
  return principal.tenant === undefined ? part : `${await tenantPart(principal.tenant)}/${part}`
}

/** The folder of all sessions of a list; empty for those of all principals and tenants. */
async function folderOf({ tenant, sub }: Whose): Promise<string> {
  if (sub !== undefined) return `${await placeOf({ sub, tenant })}/`
  return tenant === undefined ? '' : `${await tenantPart(tenant)}/`
}

/** Whether a session is one of a list: digests are short, so names are compared too. */
function isWithin(session: StoredSession, { tenant, sub }: Whose): boolean {
  if (sub === undefined) return tenant === undefined || session.tenant === tenant
  return session.sub === sub && session.tenant === tenant
}

const keyOf = (id: string) => PREFIX + id.replaceAll('-', '/')
const idIn = (key: string) => key.slice(PREFIX.length).replaceAll('/', '-')
