import type { JobHeader } from '../../shared/document/job.ts'
import { problems, refuse } from '../errors.ts'
import type { StoredJob } from '../jobs/engine.ts'

export const scopes = ['jobs:read', 'jobs:write', 'jobs:assign', 'jobs:admin'] as const
/**
 * What an access token may allow: to see and control one's own jobs; to create jobs for oneself and report on those one created; to create
 * them for others too; everything.
 */
export type Scope = (typeof scopes)[number]

/** What a watch or publish token allows with one job. */
export interface Grant {
  job: string
  /** The life of the job that it was given for: an id made again is another job. */
  epoch: string
  can: 'watch' | 'publish'
  /** A watch token that shows the header alone, whatever is asked for. */
  parts?: 'header'
  /** Which series of the job's tokens it belongs to: when all of them are ended, the next series begins ({@link tokenSeries}). */
  series: number
  /** Milliseconds since the epoch. */
  expiresAt: number
  /** The session that it ends with. */
  session?: string
}

/** Who a request speaks for. */
export interface Principal {
  sub: string
  scopes: readonly Scope[]
  /** Set for tokens of single jobs, which allow nothing else. */
  jobs?: readonly Grant[]
  /** When the credentials run out: milliseconds since the epoch. */
  expiresAt?: number
  /** The session that they end with: its id. */
  session?: string
}

/** What can be done with a job. */
export type Action = 'read' | 'publish' | 'control' | 'remove' | 'share-watch' | 'share-publish' | 'end-tokens'

export const isAdmin = (principal: Principal): boolean => principal.scopes.includes('jobs:admin')

/** The series that tokens of the job are made in: how often all of them were ended. */
export const tokenSeries = ({ marks }: StoredJob): number => marks.tokenSeries ?? 0

/** The grant of a token for this very job, if it has one that was not ended. */
export function grantFor(principal: Principal, job: StoredJob): Grant | undefined {
  return principal.jobs?.find((grant) => isFor(grant, job) && grant.series === tokenSeries(job))
}

const isFor = ({ job, epoch }: Grant, { header }: StoredJob) => job === header.id && epoch === header.epoch

/**
 * Lets an action pass, or throws.
 *
 * @throws ProblemError 404 when the principal may not know of the job; 403 when it may, but lacks the scope or the role; 401 for a token
 *   that was ended
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
  read: 'Reading a job takes the scope jobs:read as its owner, or jobs:write as its creator.',
  publish: 'Only the creator of a job publishes to it, with the scope jobs:write.',
  control: 'Only the owner of a job cancels, pauses or resumes it, with the scope jobs:read.',
  remove: 'Removing a job takes the scope jobs:read as its owner, or jobs:write as its creator.',
  'share-watch': 'A watch token takes the scope jobs:read as the owner of the job, or jobs:write as its creator.',
  'end-tokens': "Ending a job's tokens takes the scope jobs:read as its owner, or jobs:write as its creator.",
  'share-publish': 'Only the creator of a job hands out publish tokens, with the scope jobs:write.',
}

/** Lets a principal pass that may create a job for this owner. @throws ProblemError 403 that names `owner` */
export function permitOwner({ sub, scopes }: Principal, owner: string): void {
  if (owner === sub || scopes.includes('jobs:assign') || scopes.includes('jobs:admin')) return
  const detail = 'for anyone but yourself takes the scope jobs:assign'
  throw refuse(
    problems.forbidden(`owner: ${detail}. Leave it out to create the job for yourself.`, [{ field: 'owner', detail }]),
  )
}

/** Whether a value can be the name of a principal: 1 to 512 characters. Unpaired surrogates are refused: in UTF-8 two such names are one. */
export function isPrincipalName(sub: unknown): sub is string {
  return typeof sub === 'string' && sub !== '' && sub.length <= 512 && sub.isWellFormed()
}

/** Lets a principal with a scope pass. @throws ProblemError 403 */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.jobs)
    throw refuse(problems.unauthenticated('A token of one job does not allow this. Use an access token.'))
  if (!principal.scopes.includes(scope) && !isAdmin(principal)) {
    throw refuse(problems.forbidden(`This takes the scope ${scope}.`))
  }
}

/** Whoever follows the link that the server printed: its operator, with the jobs of their own. Everyone's are asked for. */
export const operator: Principal = { sub: 'local', scopes: ['jobs:read', 'jobs:write'] }
