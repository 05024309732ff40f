import type { JobHeader } from '../../shared/document/job.ts'

/** Key of an owner's channel; without an owner, of all owners. Unambiguous, because job ids contain no line breaks. */
export const ownerKey = (owner: string | undefined, parentId: string | undefined): string =>
  owner === undefined ? (parentId ?? '') : `${owner}\n${parentId ?? ''}`

/** Key of a channel for the principals of a tenant, who know its jobs by other names than those of no tenant. */
export const keyIn = (tenant: string | undefined, key: string): string =>
  tenant === undefined ? key : `${key}\n@${tenant}`

/** What names a job, and where it is listed. */
export type Named = Pick<JobHeader, 'id' | 'owner' | 'parentId'>

/** The same under other names. */
export function renamed({ id, owner, parentId }: Named, rename: (name: string) => string): Named {
  const names = { id: rename(id), owner: rename(owner) }
  return parentId === undefined ? names : { ...names, parentId: rename(parentId) }
}
