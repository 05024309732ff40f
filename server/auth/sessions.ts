import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import { LruCache } from '../support/lru.ts'
import type { Principal, Scope } from './access.ts'
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
/** Parts of the cookie, in characters: a digest of the principal's name, which locates the session, and the secret, 5 bits each. */
const PLACE_LENGTH = 16
const SECRET_LENGTH = 26

const COOKIE = /^mpst_session_([0-9a-f]{16})[0-9a-v]{26}$/
/** Format of a session id. */
const SESSION_ID = /^[0-9a-f]{16}-[0-9a-f]{64}$/
const PREFIX = 'session/'

/** A session in the store. Its key has a digest of the cookie, which does not reveal the cookie. */
interface StoredSession {
  sub: string
  scopes: readonly Scope[]
  /** Milliseconds since the Unix epoch. */
  createdAt: number
  until: number
  /** Ids of the sessions that it ends with: the one whose sign-in link made it, then those that this one ends with. */
  parents?: readonly string[]
}

/** A session in a list. */
interface Listed extends Pick<StoredSession, 'sub' | 'scopes'> {
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
    const { sub, scopes, expiresAt, session } = principal
    const parents = session === undefined ? undefined : [session, ...((await this.#find(session))?.parents ?? [])]
    const now = this.#clock.now()
    const until = Math.min(now + SESSION_SECONDS * 1_000, expiresAt ?? Number.POSITIVE_INFINITY)
    const place = await placeOf(sub)
    await this.#makeRoom(place)
    const cookie = withPrefix('session', place + randomId(this.#random, SECRET_LENGTH))
    const stored: StoredSession = { sub, scopes, createdAt: now, until, ...(parents ? { parents } : {}) }
    const key = `${PREFIX}${place}/${await textDigest(cookie)}`
    await this.#notes.put({ key, text: JSON.stringify(stored) }, until, now)
    return { id: idIn(key), cookie, seconds: Math.floor((until - now) / 1_000) }
  }

  /** The principal of a cookie; `undefined` when its session has ended. */
  async principalOf(cookie: string): Promise<Principal | undefined> {
    const id = await idOf(cookie)
    const stored = id && (await this.#find(id))
    return stored ? { sub: stored.sub, scopes: stored.scopes, expiresAt: stored.until, session: id } : undefined
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

  /** The principal's name of a session, read from the store and not from the cache; `undefined` when there is no such session. */
  async subOf(id: string): Promise<string | undefined> {
    return SESSION_ID.test(id) ? (await this.#read(id))?.sub : undefined
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
   * A page of the sessions of one principal or of all, sorted within the page: newest first.
   *
   * @param cursor `nextCursor` of the previous page
   * @throws ProblemError 422 for the cursor of another list
   */
  async list(
    sub: string | undefined,
    cursor: string | undefined,
  ): Promise<{ sessions: Listed[]; nextCursor?: string }> {
    const prefix = sub === undefined ? PREFIX : `${PREFIX}${await placeOf(sub)}/`
    const after = cursor && keyOf(cursor)
    if (after !== undefined && !after.startsWith(prefix)) {
      throw refuse(problems.invalid([{ field: 'cursor', detail: 'is of another list' }]))
    }
    const notes = await this.#notes.list({ prefix, after, limit: PAGE })
    const now = this.#clock.now()
    const stored = notes
      .map(({ key, text }) => ({ id: idIn(key), ...(JSON.parse(text) as StoredSession) }))
      .filter((session) => session.until > now && (sub === undefined || session.sub === sub))
      .sort((a, b) => b.createdAt - a.createdAt)
    const parents = [...new Set(stored.flatMap((session) => session.parents ?? []))]
    const found = await Promise.all(parents.map((id) => this.#findAlone(id)))
    const ended = new Set(parents.filter((_, index) => !found[index]))
    const sessions = stored
      .filter((session) => !session.parents?.some((id) => ended.has(id)))
      .map(({ id, sub, scopes, createdAt, until, parents: [parent] = [] }) => {
        const times = { createdAt: new Date(createdAt).toISOString(), expiresAt: new Date(until).toISOString() }
        return { id, sub, scopes, ...times, ...(parent === undefined ? {} : { parent }) }
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
  const place = COOKIE.exec(cookie)?.[1]
  return place && `${place}-${await textDigest(cookie)}`
}

/** Key prefix of a principal's sessions, under which the store lists them. */
const placeOf = async (sub: string) => (await textDigest(sub)).slice(0, PLACE_LENGTH)

const keyOf = (id: string) => PREFIX + id.replace('-', '/')
const idIn = (key: string) => key.slice(PREFIX.length).replace('/', '-')
