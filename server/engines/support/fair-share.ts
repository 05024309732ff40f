/** What a request takes of a group, and whose it is. */
export interface Share {
  readonly who: string
  /** About as many as events that take as long. */
  readonly weight: number
}

/** What a group takes at most, unless a single request takes more: some milliseconds of the event loop, and of the thread that writes. */
const GROUP_WEIGHT = 2_000
/** Up to this weight a principal's first request is always taken: it makes no group much longer. */
const LIGHT = 16
/** From this weight on a request makes others in its group wait noticeably. */
export const HEAVY = 250

/**
 * Chooses, from the requests that wait, those of principals that have nothing heavy among them: a group of theirs takes a moment. Without heavy
 * ones, or without others, the group is empty.
 */
export function takeLight<T extends Share>(waiting: T[]): { group: T[]; rest: T[] } {
  const heavy = new Set(waiting.flatMap(({ who, weight }) => (weight >= HEAVY ? [who] : [])))
  if (heavy.size === 0) return { group: [], rest: waiting }
  const { group, rest } = takeShares(waiting.filter(({ who }) => !heavy.has(who)))
  return { group, rest: [...rest, ...waiting.filter(({ who }) => heavy.has(who))] }
}

/**
 * Chooses a group from the requests that wait: all, if that is little work; otherwise the principals in turn, each in the order of its own
 * requests. So a principal that sends more than the server can take waits for itself, and hardly keeps others waiting.
 *
 * @returns the group, and the rest: those who got nothing are the first in it
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
