import type { Clock, Random } from '../../../../shared/time/clock.ts'
import { ProblemError, problems } from '../../../errors.ts'
import { REPLY_MS } from '../connection/connection.ts'
import { isReply } from '../connection/node.ts'

/** Pause between attempts, on average: milliseconds. */
const PAUSE_MS = 50

/** The detail of a 503 while the store is unavailable. */
export const AWAY = 'The store is away, and nothing of the request was applied. Send it again in a moment.'

/** A slot is on its way from one primary to another, so that nothing was done. */
export class SlotMoves extends ProblemError {
  constructor() {
    super(problems.unavailable(AWAY))
  }
}

/**
 * Whether a server refused to run a command because the slot has moved or moves: then keys are on either server, and commands with several
 * keys, even if there are none of that name, run on neither (Redis Cluster specification, "Multi-key operations").
 */
export function isMove(error: unknown): boolean {
  return ['MOVED', 'ASK', 'TRYAGAIN'].some((code) => isReply(error, code))
}

/** Whether a script came upon a key that is on another server. What it wrote before stays. */
export function hasForeignKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes('non local key')
}

/**
 * Does work again while slots move.
 *
 * @param since when it was asked for: milliseconds of the monotonic clock
 * @throws what the work throws; SlotMoves when that lasts as long as a server may take to reply
 */
export async function throughMoves<T>(clock: Clock, random: Random, since: number, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof SlotMoves) || clock.monotonic() - since > REPLY_MS) throw error
    }
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 2 * PAUSE_MS * random.number()))
  }
}
