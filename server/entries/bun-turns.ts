/** How long a turn of the event loop may have lasted when it begins to handle another request: milliseconds. */
const TURN_MS = 10
/** Most waiting requests handled per turn. */
const WAITING_PER_TURN = 16

/**
 * Lets requests wait for the next turn of the event loop when this one has lasted long enough.
 *
 * Bun (1.4.5) accepts connections in a loop and handles the first request of each inside it, so clients that connect again as fast as they are
 * answered keep the loop from reading any other connection. Those that wait for an answer do not connect again, and the loop ends.
 */
export function handleInTurns<Args extends unknown[]>(
  handle: (...args: Args) => Response | Promise<Response>,
): (...args: Args) => Response | Promise<Response> {
  const waiting: (() => void)[] = []
  let isTurn = false
  let turnBegan = 0
  const endTurn = () => {
    isTurn = false
    if (waiting.length === 0) return
    beginTurn()
    for (const run of waiting.splice(0, WAITING_PER_TURN)) run()
  }
  const beginTurn = () => {
    isTurn = true
    turnBegan = performance.now()
    setImmediate(endTurn)
  }
  return (...args) => {
    if (!isTurn) beginTurn()
    else if (waiting.length > 0 || performance.now() - turnBegan > TURN_MS) {
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          try {
            resolve(handle(...args))
          } catch (error) {
            reject(error)
          }
        })
      })
    }
    return handle(...args)
  }
}
