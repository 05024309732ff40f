import type { ItemCounts, ItemStatus } from '../../../shared/job.ts'

/** The tabs of the items: what failed comes first. */
export const tabOrder: readonly ItemStatus[] = ['failed', 'running', 'succeeded', 'skipped', 'pending']

/**
 * The tab that is shown to a reader who chose none: it stays where it was while there is something in it, so that nothing changes by
 * itself under somebody's eyes. What waits is only shown while there is nothing else.
 */
export function pickTab(counts: ItemCounts, shown: ItemStatus | undefined): ItemStatus {
  if (shown !== undefined && shown !== 'pending' && counts[shown] > 0) return shown
  return tabOrder.find((status) => counts[status] > 0) ?? 'pending'
}
