import { tenantOf } from '../../shared/document/tenant.ts'

/** Records that each keeps while others have more. */
const MIN_PART = 100

/** Who shares a part of the records: a tenant, a principal without one, or all strangers. */
const actorOf = (sub: string | undefined) => (sub === undefined ? '' : (tenantOf(sub) ?? `::${sub}`))

/**
 * What to drop of the audit's records to keep at most `most`: the oldest of those actors who have more than an equal part. So a busy
 * actor does not displace the records of others.
 *
 * @param records newest first
 */
export function surplusOf<Kept extends { sub: string | undefined }>(records: readonly Kept[], most: number): Kept[] {
  const counts = new Map<string, number>()
  for (const { sub } of records) counts.set(actorOf(sub), (counts.get(actorOf(sub)) ?? 0) + 1)
  const part = Math.max(MIN_PART, equalPart([...counts.values()], most))
  const kept = new Map<string, number>()
  let total = 0
  return records.filter(({ sub }) => {
    const before = kept.get(actorOf(sub)) ?? 0
    if (before >= part || total >= most) return true
    kept.set(actorOf(sub), before + 1)
    total += 1
    return false
  })
}

/** The most that each may keep of what it has, to keep at most `most` in all: who has less leaves the rest to the others. */
function equalPart(counts: number[], most: number): number {
  let left = most
  let others = counts.length
  for (const count of counts.sort((a, b) => a - b)) {
    if (count * others > left) return Math.floor(left / others)
    left -= count
    others -= 1
  }
  return most
}
