/** A timer that a {@link Clock} handed out. Opaque: only the clock that made it can clear it. */
export type Timer = unknown

/**
 * Where time comes from. Everything that reads the time or waits takes one, so that a test can hold time still, step it,
 * and count the timers that are left.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since an arbitrary moment, on a monotonic clock. */
  monotonic(): number
  /** Calls `run` once, `ms` milliseconds from now: at most 2³¹ − 1 (24 days), because runtimes fire longer timers at once. */
  setTimeout(run: () => void, ms: number): Timer
  clearTimeout(timer: Timer): void
}

/** The runtime's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

/** Resolves when all that waits for the event loop has had its turn. */
export function nextTurn(clock: Pick<Clock, 'setTimeout'>): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, 0)
  })
}

/** Where ids and jitter come from. */
export interface Random {
  /** A number in [0, 1), for jitter. */
  number(): number
  /** Bytes that can't be guessed, for ids. */
  bytes(length: number): Uint8Array
}

/** The runtime's own randomness. */
export const systemRandom: Random = {
  number: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
}

/** A random id of `length` characters of 5 bits each, in `[0-9a-v]`. */
export function randomId(random: Random, length: number): string {
  let id = ''
  for (const byte of random.bytes(length)) id += (byte & 31).toString(32)
  return id
}
