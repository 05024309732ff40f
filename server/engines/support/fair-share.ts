/** A request's cost in a group, and its principal. */
export interface Share {
  readonly who: string
  /** Cost, in events that take about as long. */
  readonly weight: number
}

/** Most weight of a group, unless a single request weighs more: some milliseconds of the event loop and of the writer thread. */
const GROUP_WEIGHT = 2_000
/** A principal's first request of at most this weight always gets into the group: it hardly lengthens it. */
const LIGHT = 16
/** From this weight on, a request delays the others in its group noticeably. */
export const HEAVY = 250

/**
 * Chooses a short group: the waiting requests of principals without a heavy request. The group is empty when no request is heavy, or when
 * every principal has a heavy one.
 */
export function takeLight<T extends Share>(waiting: T[]): { group: T[]; rest: T[] } {
  const heavy = new Set(waiting.flatMap(({ who, weight }) => (weight >= HEAVY ? [who] : [])))
  if (heavy.size === 0) return { group: [], rest: waiting }
  const { group, rest } = takeShares(waiting.filter(({ who }) => !heavy.has(who)))
  return { group, rest: [...rest, ...waiting.filter(({ who }) => heavy.has(who))] }
}

/**
 * Chooses a group from the waiting requests: all of them if they fit, otherwise round-robin over principals, each principal's requests in
 * order. So a principal that floods the server delays itself and hardly anyone else.
 *
 * @returns the group and the rest, principals without a request in the group first
 */
export function takeShares<T extends Share>(waiting: T[]): { group: T[]; rest: T[] } {
  if (waiting.reduce((sum, { weight }) => sum + weight, 0) <= GROUP_WEIGHT) return { group: waiting, rest: [] }
  const queues = [...Map.groupBy(waiting, ({ who }) => who).values()].map((requests) => ({ requests, taken: 0 }))
  const group: T[] = []
  let total = 0
  for (let turn = 0, open = queues; open.length > 0; turn++) {
    open = open.filter((queue) => {
      const next = queue.requests[turn]
      if (!next) return false
      const isTaken = group.length === 0 || total + next.weight <= GROUP_WEIGHT || (turn === 0 && next.weight <= LIGHT)
      if (!isTaken) return false
      group.push(next)
      total += next.weight
      queue.taken += 1
      return true
    })
  }
  const [unserved, served] = [queues.filter(({ taken }) => taken === 0), queues.filter(({ taken }) => taken > 0)]
  return { group, rest: [...unserved, ...served].flatMap(({ requests, taken }) => requests.slice(taken)) }
}
