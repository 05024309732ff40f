import type { Cursor } from '../../shared/document/cursor.ts'
import type { JobHeader, Patch } from '../../shared/document/job.ts'
import { qualify, tenantOf } from '../../shared/document/tenant.ts'
import type {
  Applied,
  Batch,
  Change,
  Created,
  Documents,
  JobToCreate,
  ListQuery,
  Page,
  RemoveOnly,
  StoredJob,
  Unwatch,
  View,
  WatchTarget,
} from './engine.ts'

/** The fields of a header that name a job or a principal. */
type Names = Pick<JobHeader, 'id' | 'owner' | 'createdBy' | 'parentId' | 'retryOf'>

/** The name of a tenant's list, which stands in place of an owner. No principal has it: names are not empty. */
const listName = (tenant: string) => qualify(tenant, '')

/** The name of the list of all jobs in the tenant of a job: `acme::`. `undefined` for a job without a tenant. */
export function listOf(id: string): string | undefined {
  const tenant = tenantOf(id)
  return tenant === undefined ? undefined : listName(tenant)
}

/** Whether a name is that of a tenant's list. */
export const isTenantList = (owner: string): boolean => owner.endsWith('::') && listOf(owner) === owner

/** The documents that principals of a tenant work with; without a tenant, all. */
export function documentsOf(all: Documents, tenant: string | undefined): Documents {
  return tenant === undefined ? all : new TenantDocuments(all, tenant)
}

/** A header with its names as all tenants together know them. */
export function qualifyHeader<T extends Names>(tenant: string | undefined, header: T): T {
  return tenant === undefined ? header : renamed(header, (name) => qualify(tenant, name))
}

/** A header with its names as a tenant knows them. */
export function plainHeader<T extends Names>(tenant: string | undefined, header: T): T {
  if (tenant === undefined) return header
  const prefix = listName(tenant)
  return renamed(header, (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name))
}

/**
 * The documents of one tenant. Its jobs and principals have plain names here. In the store they are qualified: `acme::export-7`,
 * `acme::ada`. So no call can reach a job of another tenant, and engines need to know nothing of tenants but their lists.
 */
class TenantDocuments implements Documents {
  readonly name: string
  readonly #all: Documents
  readonly #tenant: string
  readonly #prefix: string

  constructor(all: Documents, tenant: string) {
    this.name = all.name
    this.#all = all
    this.#tenant = tenant
    this.#prefix = listName(tenant)
  }

  get tellsAll() {
    return this.#all.tellsAll
  }

  get knowsOwnersOnly() {
    return this.#all.knowsOwnersOnly
  }

  async create(job: JobToCreate): Promise<Created> {
    const created = await this.#all.create({ ...job, header: qualifyHeader(this.#tenant, job.header) })
    return 'refused' in created ? created : { ...created, job: this.#plainJob(created.job) }
  }

  async apply(id: string, batch: Batch): Promise<Applied> {
    const { createdBy } = batch
    const own = createdBy === undefined ? batch : { ...batch, createdBy: this.#qualified(createdBy) }
    const applied = await this.#all.apply(this.#qualified(id), own)
    return 'refused' in applied ? applied : { ...applied, header: this.#plain(applied.header) }
  }

  async read(id: string): Promise<StoredJob | undefined> {
    const stored = await this.#all.read(this.#qualified(id))
    return stored && this.#plainJob(stored)
  }

  async changesSince(
    id: string,
    cursor: Cursor | undefined,
    page: { view: View; maxBytes: number },
  ): Promise<Patch | undefined> {
    const patch = await this.#all.changesSince(this.#qualified(id), cursor, page)
    return patch && { ...patch, job: this.#plain(patch.job) }
  }

  async list({ owner, parentId, ...query }: ListQuery): Promise<Page<JobHeader>> {
    const parent = parentId === undefined ? {} : { parentId: this.#qualified(parentId) }
    const page = await this.#all.list({ ...query, ...parent, owner: this.#list(owner) })
    return { ...page, rows: page.rows.filter(({ id }) => this.#has(id)).map((header) => this.#plain(header)) }
  }

  remove(id: string, only?: RemoveOnly): Promise<boolean> {
    return this.#all.remove(this.#qualified(id), only)
  }

  watch(target: WatchTarget, wake: (change: Change) => void, onLost?: () => void): Promise<Unwatch> {
    const wakeOwn = (change: Change) => {
      if (this.#has(change.id)) wake(this.#plainChange(change))
    }
    return this.#all.watch(this.#target(target), wakeOwn, onLost)
  }

  #target(target: WatchTarget): WatchTarget {
    if ('job' in target) return { ...target, job: this.#qualified(target.job) }
    const owner = this.#list('owner' in target ? target.owner : undefined)
    return owner === undefined ? { all: true } : { owner }
  }

  /** The list of an owner, or of all owners; an engine without lists of all refuses those of tenants in the same words. */
  #list(owner: string | undefined): string | undefined {
    if (owner !== undefined) return this.#qualified(owner)
    return this.#all.knowsOwnersOnly ? undefined : this.#prefix
  }

  /** An owner's list may have jobs that are in no tenant, from before there were any. */
  #has(id: string): boolean {
    return id.startsWith(this.#prefix)
  }

  #qualified(name: string): string {
    return qualify(this.#tenant, name)
  }

  #plain<T extends Names>(header: T): T {
    return plainHeader(this.#tenant, header)
  }

  #plainJob({ header, marks }: StoredJob): StoredJob {
    return { header: this.#plain(header), marks }
  }

  #plainChange({ id, header, ...change }: Change): Change {
    const names = { id: id.slice(this.#prefix.length) }
    return header ? { ...change, ...names, header: this.#plain(header) } : { ...change, ...names }
  }
}

/** A copy: engines cache the headers that they answer. */
function renamed<T extends Names>(header: T, rename: (name: string) => string): T {
  const { id, owner, createdBy, parentId, retryOf } = header
  const named = { ...header, id: rename(id), owner: rename(owner), createdBy: rename(createdBy) }
  if (parentId !== undefined) named.parentId = rename(parentId)
  if (retryOf !== undefined) named.retryOf = rename(retryOf)
  return named
}
