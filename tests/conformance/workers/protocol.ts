import type { Change } from '../../../server/jobs/engine.ts'

/** What a test asks of the engine in a Worker, over a WebSocket: methods of `Engine` by name, and `unwatch` with the number of a `watch`. */
export interface Question {
  number: number
  method: string
  args: unknown[]
}

/** What comes back, under the number of the question; changes and losses under that of the `watch`. */
export type Answer = { number: number } & (
  | { result?: unknown }
  | { failed: { message: string; problem?: unknown } }
  | { change: Change }
  | { lost: true }
)
