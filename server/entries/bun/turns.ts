import { unavailable } from '../unavailable.ts'

/** How long a turn of the event loop may have lasted when it begins to handle another request: milliseconds. */
const TURN_MS = 10
/** Most waiting requests handled per turn. */
const WAITING_PER_TURN = 16
/** Most requests that wait. More come only from clients that do not wait for answers. */
export const MAX_WAITING = 2_000
const TOO_MANY = 'Too many requests wait, so this one was not handled. Send it again in two seconds.'

/**
 * Lets requests wait for the next turn of the event loop when this one has lasted long enough.
 *
 * Bun (1.4.5) accepts connections in a loop and handles the first request of each inside it, so clients that connect again as fast as they are
 * answered keep the loop from reading any other connection. Those that wait for an answer do not connect again, and the loop ends. Requests of
 * clients that left meanwhile are not handled.
 */
export function handleInTurns<Args extends [Pick<Request, 'signal'>, ...unknown[]]>(
  handle: (...args: Args) => Response | Promise<Response>,
): (...args: Args) => Response | Promise<Response> {
  /** Each returns whether it handled its request. */
  const waiting: (() => boolean)[] = []
  let isTurn = false
  let turnBegan = 0
  const endTurn = () => {
    isTurn = false
    if (waiting.length === 0) return
    beginTurn()
    for (let handled = 0; handled < WAITING_PER_TURN; ) {
      const run = waiting.shift()
      if (!run) return
      if (run()) handled += 1
    }
  }
  const beginTurn = () => {
    isTurn = true
    turnBegan = performance.now()
    setImmediate(endTurn)
  }
  return (...args) => {
    if (!isTurn) beginTurn()
    else if (waiting.length > 0 || performance.now() - turnBegan > TURN_MS) {
      if (waiting.length >= MAX_WAITING) return unavailable(TOO_MANY, { 'retry-after': '2' })
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          if (args[0].signal.aborted) {
            // Nobody reads it.
            resolve(new Response(null, { status: 499 }))
            return false
          }
          try {
            resolve(handle(...args))
          } catch (error) {
            reject(error)
          }
          return true
        })
      })
    }
    return handle(...args)
  }
}
