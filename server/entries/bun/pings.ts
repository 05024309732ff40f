/** Most pings of a WebSocket within a second. Clients send one in many seconds. */
const MAX_PINGS = 64

interface Pinging {
  since: number
  pings: number
}

/**
 * Disconnects clients that ping in a flood. Bun answers each ping with a write of its own, and reads half a megabyte of them before anything
 * else has a turn.
 *
 * @returns the handler of pings
 */
export function endPingFloods(): (socket: { terminate(): void }) => void {
  const states = new WeakMap<object, Pinging>()
  return (socket) => {
    const now = performance.now()
    const state = states.get(socket) ?? { since: now, pings: 0 }
    if (now - state.since > 1_000) Object.assign(state, { since: now, pings: 0 })
    state.pings += 1
    states.set(socket, state)
    if (state.pings > MAX_PINGS) socket.terminate()
  }
}
