import type { JobHeader } from '../../shared/document/job.ts'
import { isTenant, qualify, tenantOf } from '../../shared/document/tenant.ts'
import { problems, refuse } from '../errors.ts'
import type { StoredJob } from '../jobs/engine.ts'

export const scopes = ['jobs:read', 'jobs:write', 'jobs:assign', 'jobs:admin'] as const
/**
 * What an access token allows. `jobs:read`: read and control the jobs that one owns; `jobs:write`: create jobs for oneself and publish to
 * those that one created; `jobs:assign`: create jobs for other owners; `jobs:admin`: everything. All within one's tenant, if one has one.
 */
export type Scope = (typeof scopes)[number]

/** What a watch or publish token allows on one job. */
export interface Grant {
  /** Its id within the tenant of the token. */
  job: string
  /** The epoch of the job: an id that was created again is another job. */
  epoch: string
  can: 'watch' | 'publish'
  /** Limits a watch token to the header view. */
  parts?: 'header'
  /** The token's series: revoking all tokens of the job starts the next ({@link tokenSeries}). */
  series: number
  /** Milliseconds since the Unix epoch. */
  expiresAt: number
  /** Id of the session that the token ends with. */
  session?: string
}

/** The authenticated identity of a request. */
export interface Principal {
  sub: string
  /**
   * Its tenant, if it is in one: jobs, principals, quotas and administrators of one tenant are separate from those of others. Omitted:
   * principals outside of all tenants, whose administrators see all.
   */
  tenant?: string | undefined
  scopes: readonly Scope[]
  /** Set for tokens of single jobs, which allow nothing else. */
  jobs?: readonly Grant[]
  /** Expiry of the credentials: milliseconds since the Unix epoch. */
  expiresAt?: number
  /** Id of the session that the credentials end with. */
  session?: string
}

/** An action on a job. */
export type Action =
  | 'read'
  | 'publish'
  | 'control'
  | 'answer'
  | 'remove'
  | 'share-watch'
  | 'share-publish'
  | 'end-tokens'

/** The name of a principal among those of all tenants. Two tenants may have principals with the same `sub`. */
export const fullName = ({ tenant, sub }: Pick<Principal, 'tenant' | 'sub'>): string => qualify(tenant, sub)

/** The name by which a principal knows another: within its tenant, or among those of all. */
export const nameFor = ({ tenant }: Principal, other: Pick<Principal, 'tenant' | 'sub'>): string =>
  tenant === undefined ? fullName(other) : other.sub

/** Whether a principal has `jobs:admin`: for its tenant, if it is in one, otherwise for all. */
export const isAdmin = (principal: Principal): boolean => principal.scopes.includes('jobs:admin')

/** The current token series of a job: how often all of its tokens were revoked. */
export const tokenSeries = ({ marks }: StoredJob): number => marks.tokenSeries ?? 0

/** The principal's grant for this job and epoch, unless it was revoked. */
export function grantFor(principal: Principal, job: StoredJob): Grant | undefined {
  return principal.jobs?.find((grant) => isFor(grant, job) && grant.series === tokenSeries(job))
}

const isFor = ({ job, epoch }: Grant, { header }: StoredJob) => job === header.id && epoch === header.epoch

/**
 * Checks that a principal may perform an action on a job.
 *
 * @throws ProblemError 404 for a principal without access to the job; 403 if only the scope or role is missing; 401 for a job token that
 *   was revoked or is of the other kind
 */
export function permit(principal: Principal, job: StoredJob, action: Action): void {
  if (principal.jobs) permitGrant(principal, job, action)
  else if (!isAdmin(principal)) permitRole(principal, job.header, action)
}

function permitRole(principal: Principal, header: JobHeader, action: Action): void {
  const isOwner = header.owner === principal.sub
  const isCreator = header.createdBy === principal.sub
  if (!isOwner && !isCreator) throw refuse(problems.notFound())
  const asOwner = isOwner && principal.scopes.includes('jobs:read')
  const asCreator = isCreator && principal.scopes.includes('jobs:write')
  const allowed = {
    read: asOwner || asCreator,
    publish: asCreator,
    control: asOwner,
    answer: asOwner,
    remove: asOwner || asCreator,
    'share-watch': asOwner || asCreator,
    'share-publish': asCreator,
    'end-tokens': asOwner || asCreator,
  }
  if (!allowed[action]) throw refuse(problems.forbidden(reasons[action]))
}

function permitGrant(principal: Principal, job: StoredJob, action: Action): void {
  const grant = grantFor(principal, job)
  if (!grant)
    throw refuse(principal.jobs?.some((ended) => isFor(ended, job)) ? problems.tokenEnded() : problems.notFound())
  const allowed = (action === 'read' && grant.can === 'watch') || (action === 'publish' && grant.can === 'publish')
  if (!allowed) throw refuse(problems.unauthenticated(`A ${grant.can} token does not allow this. Use an access token.`))
}

const reasons: Record<Action, string> = {
  read: 'Reading a job needs the scope jobs:read as its owner, or jobs:write as its creator.',
  publish: 'Only the creator of a job publishes to it, with the scope jobs:write.',
  control: 'Only the owner of a job cancels, pauses or resumes it, with the scope jobs:read.',
  answer: 'Only the owner of a job answers what it asks, with the scope jobs:read.',
  remove: 'Removing a job needs the scope jobs:read as its owner, or jobs:write as its creator.',
  'share-watch': 'A watch token needs the scope jobs:read as the owner of the job, or jobs:write as its creator.',
  'end-tokens': "Revoking a job's tokens needs the scope jobs:read as its owner, or jobs:write as its creator.",
  'share-publish': 'Only the creator of a job hands out publish tokens, with the scope jobs:write.',
}

/** Checks that a principal may create a job for this owner. @throws ProblemError 403 or 422 that names `owner` */
export function permitOwner({ sub, tenant, scopes }: Principal, owner: string): void {
  if (tenant === undefined && tenantOf(owner) !== undefined) {
    const detail = 'is in a tenant, where only principals of that tenant create jobs'
    throw refuse(problems.invalid([{ field: 'owner', detail }]))
  }
  if (owner === sub || scopes.includes('jobs:assign') || scopes.includes('jobs:admin')) return
  const detail = 'for anyone but yourself needs the scope jobs:assign'
  throw refuse(
    problems.forbidden(`owner: ${detail}. Leave it out to create the job for yourself.`, [{ field: 'owner', detail }]),
  )
}

/** Whether a value is a valid name of a principal: 1 to 512 characters, without unpaired surrogates, which UTF-8 encoding would replace. */
export function isPrincipalName(sub: unknown): sub is string {
  return typeof sub === 'string' && sub !== '' && sub.length <= 512 && sub.isWellFormed()
}

/** Why nobody can have this name, for the operator; `undefined` for a valid name in a tenant, or in none. */
export function flawOfIdentity(sub: string, tenant: unknown): string | undefined {
  if (tenant !== undefined && !isTenant(tenant)) return 'its tenant is not 1 to 64 characters of A–Z a–z 0–9 . _ ~ -'
  // It would be the name of a principal in a tenant.
  if (tenant === undefined && tenantOf(sub) !== undefined)
    return 'it has no tenant, and a sub that begins as if it had one'
  return undefined
}

/** Checks that a principal may do what concerns the whole server. @throws ProblemError 403; 401 for a token of one job */
export function requireServerAdmin(principal: Principal): void {
  requireScope(principal, 'jobs:admin')
  if (principal.tenant === undefined) return
  throw refuse(problems.forbidden('This is about all tenants, and needs the scope jobs:admin without a tenant.'))
}

/** Checks that a principal has a scope. @throws ProblemError 403; 401 for a token of one job */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.jobs)
    throw refuse(problems.unauthenticated('A token of one job does not allow this. Use an access token.'))
  if (!principal.scopes.includes(scope) && !isAdmin(principal)) {
    throw refuse(problems.forbidden(`This needs the scope ${scope}.`))
  }
}

/** The principal of the sign-in link that the server prints: it sees its own jobs only. */
export const operator: Principal = { sub: 'local', scopes: ['jobs:read', 'jobs:write'] }
