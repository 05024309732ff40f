import type { JobHeader } from '../../shared/document/job.ts'
import { tenantOf, unqualify } from '../../shared/document/tenant.ts'
import { type Clock, type Random, randomId } from '../../shared/time/clock.ts'
import type { UndeliveredList, UndeliveredQuery, UndeliveredWebhook } from '../../shared/wire/webhooks.ts'
import { surplusOf } from '../auth/audit-surplus.ts'
import type { Delivery } from '../jobs/background/deliveries.ts'
import type { Notes } from '../jobs/engine.ts'
import { textDigest } from '../support/digest.ts'

/** How long an undelivered webhook is kept: 30 days, in milliseconds. */
const KEPT_MS = 2_592_000_000
/** Most that are kept; the oldest of the principal with the most are dropped. */
const MAX_KEPT = 10_000
/** On average, their number is checked once for so many that are added. */
const TRIM_EVERY = 100
/** Notes per read. */
const PAGE = 100
/** Digits of the digest in the place of a tenant's. */
const TENANT_LENGTH = 32

/** As it is stored, with the names as all tenants together know them. */
interface Kept extends Omit<UndeliveredWebhook, 'id'> {
  createdBy: string
}

interface UndeliveredOptions {
  notes: Notes
  clock: Pick<Clock, 'now'>
  random: Random
}

/**
 * Webhooks that could not be delivered: notes in the store, for administrators. Those that a tenant's jobs notify are in a place of the tenant
 * too; those to the server's own URLs are not, because a URL may contain a secret of the operator.
 */
export class Undelivered {
  readonly #notes: Notes
  readonly #clock: Pick<Clock, 'now'>
  readonly #random: Random

  constructor({ notes, clock, random }: UndeliveredOptions) {
    this.#notes = notes
    this.#clock = clock
    this.#random = random
  }

  async add({ id: job, epoch, createdBy }: JobHeader, delivery: Delivery, reason: string): Promise<void> {
    const { url, type, ask, version, occurredAt, tries, ofServer } = delivery
    const now = this.#clock.now()
    const failedAt = new Date(now).toISOString()
    const more = { ...(ofServer ? { ofServer } : {}), ...(ask === undefined ? {} : { ask }) }
    const event = { job, epoch, version, type, url, ...more, occurredAt }
    const kept: Kept = { ...event, failedAt, tries, reason, createdBy }
    // Newer ones come first.
    const place = (2 ** 48 - 1 - now).toString(16).padStart(12, '0')
    const id = `${place}-${randomId(this.#random, 8)}`
    const text = JSON.stringify(kept)
    for (const prefix of await prefixesFor(event)) {
      await this.#notes.put({ key: prefix + id, text }, now + KEPT_MS, now)
      if (this.#random.number() * TRIM_EVERY < 1) await this.#trim(prefix)
    }
  }

  /** A page, newest first: of the jobs of a tenant, with their names there, or of all jobs. */
  async list(tenant: string | undefined, { limit, cursor }: UndeliveredQuery): Promise<UndeliveredList> {
    const prefix = await prefixOf(tenant)
    const notes = await this.#notes.list({ prefix, limit, after: cursor && prefix + cursor })
    const oldest = this.#clock.now() - KEPT_MS
    const undelivered = notes.flatMap(({ key, text }): UndeliveredWebhook[] => {
      const { createdBy: _, ...letter }: Kept = JSON.parse(text)
      if (Date.parse(letter.failedAt) <= oldest) return []
      return [
        {
          id: key.slice(prefix.length),
          ...letter,
          job: tenant === undefined ? letter.job : unqualify(letter.job).name,
        },
      ]
    })
    const last = notes.length < limit ? undefined : notes.at(-1)
    return last ? { undelivered, nextCursor: last.key.slice(prefix.length) } : { undelivered }
  }

  /** One of them, with the full name of its job. */
  async find(tenant: string | undefined, id: string): Promise<Omit<UndeliveredWebhook, 'id'> | undefined> {
    const text = await this.#notes.get((await prefixOf(tenant)) + id)
    return text === undefined ? undefined : JSON.parse(text)
  }

  async remove(letter: Pick<UndeliveredWebhook, 'job' | 'ofServer'>, id: string): Promise<void> {
    for (const prefix of await prefixesFor(letter)) await this.#notes.take(prefix + id)
  }

  async #trim(prefix: string): Promise<void> {
    const all: { key: string; sub: string }[] = []
    let page: Awaited<ReturnType<Notes['list']>> | undefined
    while (!page || page.length === PAGE) {
      page = await this.#notes.list({ prefix, after: page?.at(-1)?.key, limit: PAGE })
      for (const { key, text } of page) all.push({ key, sub: (JSON.parse(text) as Kept).createdBy })
    }
    for (const { key } of surplusOf(all, MAX_KEPT)) await this.#notes.take(key)
  }
}

async function prefixOf(tenant: string | undefined): Promise<string> {
  return tenant === undefined ? 'undelivered/' : `undelivered-${(await textDigest(tenant)).slice(0, TENANT_LENGTH)}/`
}

function prefixesFor({ job, ofServer }: Pick<UndeliveredWebhook, 'job' | 'ofServer'>): Promise<string[]> {
  const tenant = ofServer ? undefined : tenantOf(job)
  return Promise.all(tenant === undefined ? [prefixOf(undefined)] : [prefixOf(undefined), prefixOf(tenant)])
}
