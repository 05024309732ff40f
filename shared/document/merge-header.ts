import type { JobHeader, PatchHeader } from './job.ts'

/** The header after a patch: `result` and `metadata` are kept where the patch leaves them out. May return the patch's own object. */
export function mergeHeader(before: Pick<JobHeader, 'result' | 'metadata'>, patch: PatchHeader): JobHeader {
  const { result = before.result, metadata = before.metadata } = patch
  // Most jobs have neither, and this is on the hot path: no copy.
  if (result === undefined && metadata === undefined) return patch as JobHeader
  const { result: _result, metadata: _metadata, ...header } = patch
  const merged: JobHeader = header
  if (result !== undefined && result !== null) merged.result = result
  if (metadata !== undefined && metadata !== null) merged.metadata = metadata
  return merged
}
