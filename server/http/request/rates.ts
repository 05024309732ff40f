import type { Limits } from '../../../shared/document/limits.ts'
import { qualify } from '../../../shared/document/tenant.ts'
import type { Clock } from '../../../shared/time/clock.ts'
import { fullName, type Principal } from '../../auth/access.ts'
import { type ProblemError, problems, refuse } from '../../errors.ts'
import { parseAddress } from '../../support/ip-address.ts'
import { LruCache } from '../../support/lru.ts'

/** Most accounts of each kind, in LRU order. An evicted account starts over with full buckets. */
export const ACCOUNTS = 10_000

/** Bucket size of each rate, as seconds at that rate; and its name in refusals. */
const rates = {
  publishesPerSecond: { seconds: 2, what: 'publishes' },
  publishBytesPerSecond: { seconds: 2, what: 'bytes of events' },
  createsPerSecond: { seconds: 10, what: 'new jobs' },
  tokensPerSecond: { seconds: 10, what: 'new tokens and sign-in links' },
  servicesPerSecond: { seconds: 10, what: 'starts of services' },
  requestsPerSecond: { seconds: 10, what: 'requests' },
  strangersPerSecond: { seconds: 4, what: 'requests of this address without valid credentials' },
} as const satisfies Partial<Record<keyof Limits, { seconds: number; what: string }>>

/** A rate, by the name of its limit. */
export type Rate = keyof typeof rates

/** What a token bucket had left at a time: milliseconds of the monotonic clock. */
interface Level {
  left: number
  at: number
}

/** The token buckets (RFC 2697, 3, with one colour) of a principal, job or address; full at first. */
type Account = { [rate in Rate]?: Level }

/**
 * Rate limits per principal, and per address for requests without valid credentials. Each process counts for itself.
 */
export class Rates {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #limits: Pick<Limits, Rate>
  /** Separate caches, so that guests with tokens, and strangers with many addresses, evict only each other. */
  readonly #principals = new LruCache<string, Account>(ACCOUNTS)
  readonly #jobs = new LruCache<string, Account>(ACCOUNTS)
  readonly #strangers = new LruCache<string, Account>(ACCOUNTS)

  constructor(clock: Pick<Clock, 'monotonic'>, limits: Pick<Limits, Rate>) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Counts publishes, and their bytes if they are known before reading. @throws ProblemError 429 */
  takePublish(principal: Principal, bytes: number | undefined, publishes = 1): void {
    const account = accountOf(this.#principals, fullName(principal))
    this.#take(account, 'publishesPerSecond', publishes)
    if (bytes !== undefined) this.#take(account, 'publishBytesPerSecond', bytes)
  }

  /** Counts the bytes of a publish, if they were unknown before reading. @throws ProblemError 429 */
  takePublishBytes(principal: Principal, bytes: number): void {
    this.#take(accountOf(this.#principals, fullName(principal)), 'publishBytesPerSecond', bytes)
  }

  /**
   * Counts a request, or one that costs as much as several. One with job tokens counts against the job, not against the maker of the token.
   *
   * @throws ProblemError 429
   */
  take(principal: Principal, rate: Rate, amount = 1): void {
    const { tenant, jobs: [grant] = [] } = principal
    const account = grant
      ? accountOf(this.#jobs, qualify(tenant, grant.job))
      : accountOf(this.#principals, fullName(principal))
    this.#take(account, rate, amount)
  }

  /** Counts a request without valid credentials. @throws ProblemError 429 */
  takeStranger(address: string | undefined): void {
    const refusal = this.refusalOfStranger(address)
    if (refusal) throw refusal
  }

  /** Like {@link takeStranger}, but returns the refusal. Counts nothing without an address, because all clients would share one account. */
  refusalOfStranger(address: string | undefined): ProblemError | undefined {
    if (address === undefined) return undefined
    return this.#refusal(accountOf(this.#strangers, networkOf(address)), 'strangersPerSecond', 1)
  }

  #take(account: Account, rate: Rate, amount: number): void {
    const refusal = this.#refusal(account, rate, amount)
    if (refusal) throw refusal
  }

  /** Takes the whole amount if the bucket is not empty. Its level may become negative, so that amounts above the bucket size can pass. */
  #refusal(account: Account, rate: Rate, amount: number): ProblemError | undefined {
    const perSecond = this.#limits[rate]
    const most = perSecond * rates[rate].seconds
    const now = this.#clock.monotonic()
    const level = account[rate] ?? { left: most, at: now }
    account[rate] = level
    level.left = Math.min(most, level.left + ((now - level.at) / 1_000) * perSecond)
    level.at = now
    if (level.left <= 0) return tooMany(rate, perSecond, -level.left / perSecond)
    level.left -= amount
    return undefined
  }
}

function accountOf(accounts: LruCache<string, Account>, who: string): Account {
  const known = accounts.get(who)
  if (known) return known
  const account: Account = {}
  accounts.set(who, account, 1)
  return account
}

/** The network of one subscriber: an IPv4 address, however it is written, or a /64 of IPv6 (RFC 6177). */
function networkOf(address: string): string {
  const bytes = parseAddress(address)
  return bytes ? `${bytes.subarray(0, 8)}` : address
}

/** @param wait seconds until the bucket is no longer empty */
function tooMany(rate: Rate, perSecond: number, wait: number): ProblemError {
  const { seconds, what } = rates[rate]
  const after = Math.max(1, Math.ceil(wait))
  const unit = rate === 'publishBytesPerSecond' ? ';qu="content-bytes"' : ''
  const detail = `Too many ${what}: at most ${perSecond} a second, and ${perSecond * seconds} at once. Wait as long as Retry-After says.`
  return refuse(problems.tooMany(rate, detail), {
    'retry-after': `${after}`,
    // draft-ietf-httpapi-ratelimit-headers-10.
    'ratelimit-policy': `"${rate}";q=${perSecond * seconds}${unit};w=${seconds}`,
    ratelimit: `"${rate}";r=0;t=${after}`,
  })
}
