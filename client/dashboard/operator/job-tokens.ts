import type { AuditRecord } from '../../../shared/wire/api.ts'

/** The tokens of a job, as far as the audit knows. */
export interface JobTokens {
  job: string
  /** Newest first. */
  tokens: AuditRecord[]
}

/**
 * The jobs with tokens that have neither expired nor been revoked, by their newest token.
 *
 * @param records of all actions, newest first
 * @param now milliseconds since the Unix epoch
 */
export function jobTokens(records: readonly AuditRecord[], now: number): JobTokens[] {
  const over = new Set<string>()
  const jobs = new Map<string, AuditRecord[]>()
  for (const record of records) {
    const { action, job, expiresAt } = record
    if (job === undefined) continue
    if (action === 'tokens-revoked' || action === 'job-deleted') over.add(job)
    if (action !== 'token-created' || over.has(job) || Date.parse(expiresAt ?? '') <= now) continue
    jobs.set(job, [...(jobs.get(job) ?? []), record])
  }
  return [...jobs].map(([job, tokens]) => ({ job, tokens }))
}
