import type { ItemCounts, ItemStatus } from '../../../../shared/document/job.ts'

/** The tabs of the items: what failed comes first. */
export const tabOrder: readonly ItemStatus[] = ['failed', 'running', 'succeeded', 'skipped', 'pending']

/**
 * The tab that is shown while the reader has chosen none. It stays while it has items, so that nothing changes by itself. Waiting items are
 * shown only while there are no others.
 */
export function pickTab(counts: ItemCounts, shown: ItemStatus | undefined): ItemStatus {
  if (shown !== undefined && shown !== 'pending' && counts[shown] > 0) return shown
  return tabOrder.find((status) => counts[status] > 0) ?? 'pending'
}
