import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import { problems, refuse } from '../errors.ts'
import type { Engine, Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'
import { LruCache } from '../support/lru.ts'
import type { Principal, Scope } from './access.ts'
import { withPrefix } from './token-prefix.ts'

/** How long a session lasts at most: seconds. */
export const SESSION_SECONDS = 43_200
/** Sessions that a principal may have: a new one ends the oldest. */
const SESSIONS_EACH = 100
/** Sessions that a list has in a page. */
const PAGE = 100
/** How long what the store said of a session is believed here: milliseconds. So an end is noticed elsewhere that much later. */
const BELIEVED_MS = 5_000
/** Sessions of which that is remembered. */
const REMEMBERED = 10_000
/** Characters of the cookie: of a digest of the name, which only tells where to look, and of the secret, 5 bits each. */
const PLACE_LENGTH = 16
const SECRET_LENGTH = 26

const COOKIE = /^mpst_session_([0-9a-f]{16})[0-9a-v]{26}$/
/** What an id of a session looks like. */
export const SESSION_ID = /^[0-9a-f]{16}-[0-9a-f]{64}$/
const PREFIX = 'session/'

/** What the store has of a session. Its key has the digest of the cookie, which nobody can make the cookie of. */
interface Kept {
  sub: string
  scopes: readonly Scope[]
  /** Milliseconds since the epoch. */
  createdAt: number
  until: number
}

/** A session as it is listed. */
interface Listed extends Omit<Kept, 'createdAt' | 'until'> {
  id: string
  /** ISO 8601. */
  createdAt: string
  expiresAt: string
}

/**
 * Browsers that are signed in. Their cookies mean nothing by themselves: the store says who each is, so that any process can end a session.
 *
 * A session's id is made of the digest of its cookie, and is no secret.
 */
export class Sessions {
  readonly #notes: Notes
  readonly #clock: Clock
  readonly #random: Random
  readonly #onEnd: (id: string) => void
  readonly #remembered = new LruCache<string, { kept: Kept; at: number }>(REMEMBERED)
  /** Rises with each end: what was read meanwhile is not remembered. */
  #ends = 0

  /** @param options.onEnd told at once of a session that is ended by this process */
  constructor(options: { engine: Pick<Engine, 'notes'>; clock: Clock; random: Random; onEnd: (id: string) => void }) {
    this.#notes = options.engine.notes
    this.#clock = options.clock
    this.#random = options.random
    this.#onEnd = options.onEnd
  }

  /** Begins a session. @returns the value of its cookie, and how long it lasts: seconds; until the principal runs out at the latest */
  async create({ sub, scopes, expiresAt }: Principal): Promise<{ cookie: string; seconds: number }> {
    const now = this.#clock.now()
    const until = Math.min(now + SESSION_SECONDS * 1_000, expiresAt ?? Number.POSITIVE_INFINITY)
    const place = await placeOf(sub)
    await this.#makeRoom(place)
    const cookie = withPrefix('session', place + randomId(this.#random, SECRET_LENGTH))
    const kept: Kept = { sub, scopes, createdAt: now, until }
    const key = `${PREFIX}${place}/${await textDigest(cookie)}`
    await this.#notes.put({ key, text: JSON.stringify(kept) }, until, now)
    return { cookie, seconds: Math.floor((until - now) / 1_000) }
  }

  /** Who a cookie speaks for; nothing when its session has ended. */
  async principalOf(cookie: string): Promise<Principal | undefined> {
    const id = await idOf(cookie)
    const kept = id && (await this.#find(id))
    return kept ? { sub: kept.sub, scopes: kept.scopes, expiresAt: kept.until, session: id } : undefined
  }

  /** Whether a session goes on, as far as that is known without asking the store. */
  isKnown(id: string): boolean {
    return this.#known(id) !== undefined
  }

  /** Whether a session goes on. */
  async isOpen(id: string): Promise<boolean> {
    return (await this.#find(id)) !== undefined
  }

  /** Whose session it is; nothing when there is no such session. The store is asked, whatever is remembered. */
  async subOf(id: string): Promise<string | undefined> {
    return SESSION_ID.test(id) ? (await this.#read(id))?.sub : undefined
  }

  /** Ends the session of a cookie, if there is one. */
  async endOf(cookie: string): Promise<void> {
    const id = await idOf(cookie)
    if (id !== undefined) await this.end(id)
  }

  /** Ends a session, everywhere. @returns whether there was one */
  async end(id: string): Promise<boolean> {
    const text = await this.#notes.take(keyOf(id))
    this.#ends += 1
    this.#remembered.delete(id)
    this.#onEnd(id)
    return text !== undefined
  }

  /**
   * A page of sessions, those of a name or everyone's: the newest of the page first.
   *
   * @param cursor as a page before gave it
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
    const sessions = notes
      .map(({ key, text }) => ({ id: idIn(key), ...(JSON.parse(text) as Kept) }))
      .filter((session) => session.until > now && (sub === undefined || session.sub === sub))
      .sort((a, b) => b.createdAt - a.createdAt)
      .map(({ until, createdAt, ...who }) => {
        const times = { createdAt: new Date(createdAt).toISOString(), expiresAt: new Date(until).toISOString() }
        return { ...who, ...times }
      })
    const last = notes.length === PAGE ? notes.at(-1) : undefined
    return { sessions, ...(last ? { nextCursor: idIn(last.key) } : {}) }
  }

  /** Ends the oldest sessions of those who have too many, so that one more is not. */
  async #makeRoom(place: string): Promise<void> {
    const notes = await this.#notes.list({ prefix: `${PREFIX}${place}/`, limit: 2 * SESSIONS_EACH })
    if (notes.length < SESSIONS_EACH) return
    const made = notes.map(({ key, text }) => ({ id: idIn(key), createdAt: (JSON.parse(text) as Kept).createdAt }))
    made.sort((a, b) => a.createdAt - b.createdAt)
    for (const { id } of made.slice(0, notes.length - SESSIONS_EACH + 1)) await this.end(id)
  }

  async #find(id: string): Promise<Kept | undefined> {
    const known = this.#known(id)
    if (known) return known
    const ends = this.#ends
    const kept = await this.#read(id)
    if (kept && ends === this.#ends) this.#remembered.set(id, { kept, at: this.#clock.monotonic() }, 1)
    return kept
  }

  #known(id: string): Kept | undefined {
    const remembered = this.#remembered.get(id)
    const isFresh = remembered && this.#clock.monotonic() - remembered.at < BELIEVED_MS
    return isFresh && remembered.kept.until > this.#clock.now() ? remembered.kept : undefined
  }

  async #read(id: string): Promise<Kept | undefined> {
    const text = await this.#notes.get(keyOf(id))
    if (text === undefined) return undefined
    const kept: Kept = JSON.parse(text)
    return kept.until > this.#clock.now() ? kept : undefined
  }
}

/** The id of a cookie's session; nothing for what can be no cookie of ours. */
async function idOf(cookie: string): Promise<string | undefined> {
  const place = COOKIE.exec(cookie)?.[1]
  return place && `${place}-${await textDigest(cookie)}`
}

/** Where the sessions of a name are: the store finds them together. */
const placeOf = async (sub: string) => (await textDigest(sub)).slice(0, PLACE_LENGTH)

const keyOf = (id: string) => PREFIX + id.replace('-', '/')
const idIn = (key: string) => key.slice(PREFIX.length).replace('/', '-')
