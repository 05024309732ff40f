import type { AppliedEvent } from '../../shared/document/events.ts'
import type { JobHeader, PatchHeader } from '../../shared/document/job.ts'

/** Whether events may change what is large in a header: its `result` or `metadata`. Unknown events may. */
export function touchesBulk(events: readonly AppliedEvent[] | undefined): boolean {
  return events?.some((event) => event.type === 'status' && ('result' in event || 'metadata' in event)) ?? true
}

/** A header as a patch carries it: `result` and `metadata` only when they may have changed. */
export function headerPatch(header: JobHeader, withBulk: boolean): PatchHeader {
  const { result = null, metadata = null, ...patch } = header
  return withBulk ? { ...patch, result, metadata } : patch
}
