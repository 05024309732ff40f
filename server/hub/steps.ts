import type { HubContext } from './hub.ts'
import type { EventStream } from './stream/event-stream.ts'

/** Bytes of text that are read or encoded per step of a stream: some milliseconds. One job may have more. */
export const STEP_BYTES = 64 * 1024

/**
 * Runs a step of a stream that joins or catches up, in turn with the steps of other principals: at once, if this turn of the event loop has
 * time left. A stream may have left or lost its room by then.
 */
export function inTurn<T>({ turns }: HubContext, { who }: Pick<EventStream, 'who'>, work: () => T): T | Promise<T> {
  return turns ? turns.run(who, work) : work()
}

/** Like {@link inTurn}, for the step that sends what the stream's previous step has read. */
export function inTurnToSend<T>({ turns }: HubContext, { who }: EventStream, work: () => T): T | Promise<T> {
  return turns ? turns.runRest(who, work) : work()
}
