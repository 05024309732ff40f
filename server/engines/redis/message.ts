import type { Change } from '../../jobs/engine.ts'

/** Most characters of a message that has the events and the header. A larger one has the version only, and the hub reads the rest. */
const MAX_WHOLE = 8_192
/** Most events of a message: the hub sends more than these as one patch anyway. */
const MAX_EVENTS = 8

/** A change, as one node publishes it to the others. */
export interface ChangeMessage {
  /**
   * The connections on which the change was committed. As long as they last, their process wakes its own watchers. Afterwards it does not
   * know whether the commit arrived.
   */
  by: string
  /** The server's history in which the change was made. */
  history: string
  /** Order of the changes of a job id: place of the life, then commit. */
  order: Order
  /** The generation in cursors at `change.to`. */
  generation?: string
  change: Change
}

/** Order of the changes of one job id: compared by {@link isAfter}. */
export type Order = [place: number, commits: number]

/** Start of the order in a message. Of a creation only the script knows it. */
const PLACE = '"order":['

/** Encodes a message. A large change has its versions only. */
export function encodeChange(message: ChangeMessage): string {
  const { header } = message.change
  const json = header && JSON.stringify(header)
  const [start, end] = aroundHeader(message, json?.length)
  return end === '' ? start : start + json + end
}

/**
 * Encodes a message without its header: the parts before and after it. The second is empty when the message has no header.
 *
 * @param headerLength of the header's JSON, if there is one
 */
export function aroundHeader(
  { by, history, order, change }: ChangeMessage,
  headerLength: number | undefined,
): [start: string, end: string] {
  const { header, events, ...versions } = change
  // First, so that a process recognizes its own without parsing.
  const about = { by, order, history, generation: header?.generation }
  if (!events || events.length <= MAX_EVENTS) {
    const text = JSON.stringify({ ...about, change: { ...versions, events } })
    if (text.length + (headerLength ?? 0) <= MAX_WHOLE) {
      return headerLength === undefined ? [text, ''] : [`${text.slice(0, -2)},"header":`, '}}']
    }
  }
  return [JSON.stringify({ ...about, change: versions }), '']
}

/** The parts of a message before and after its place in the order of creation. */
export function aroundPlace(message: string): [string, string] {
  const at = message.indexOf(PLACE) + PLACE.length
  return [message.slice(0, at), message.slice(message.indexOf(',', at))]
}

/** Whether a change was committed on these connections. */
export function isBy(message: string, node: string): boolean {
  return message.startsWith(`{"by":"${node}"`)
}

/** Whether an order comes after another. */
export function isAfter([place, commits]: Order, [earlierPlace, earlierCommits]: Order): boolean {
  return place > earlierPlace || (place === earlierPlace && commits > earlierCommits)
}
