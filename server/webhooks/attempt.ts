import type { Clock, Random } from '../../shared/time/clock.ts'
import type { Delivery, DeliveryChange } from '../jobs/background/deliveries.ts'
import type { Applied, Batch, StoredJob } from '../jobs/engine.ts'
import type { Sender } from './sender.ts'
import type { Undelivered } from './undelivered.ts'

/** Wait after the first attempt: milliseconds. Longer than an attempt takes, because another process makes the next one then. */
const FIRST_WAIT = 30_000
const MAX_WAIT = 8 * 3_600_000
/** Attempts in about a day. */
const MAX_TRIES = 13

/** How long to wait after an attempt: twice as long each time, and up to a fifth more or less, so that receivers that return are not flooded. */
function waitAfter(tries: number, random: Pick<Random, 'number'>): number {
  return Math.min(MAX_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * (0.8 + 0.4 * random.number())
}

export interface AttemptParts {
  /** Commits to the job. */
  apply: (id: string, batch: Batch) => Applied | Promise<Applied>
  sender: Sender
  undelivered: Undelivered
  clock: Pick<Clock, 'now'>
  random: Random
}

/** What became of an attempt. `missed`: someone else makes it, or the job is gone. */
type Fate = 'delivered' | 'failed' | 'undelivered' | 'missed'

/**
 * Makes one attempt of a delivery.
 *
 * It is counted first, in a commit that also sets the time of the next one. So no two processes make the same attempt, and one that is cut
 * off is repeated.
 */
export async function attempt(job: StoredJob, delivery: Delivery, parts: AttemptParts): Promise<Fate> {
  const { apply, sender, undelivered, clock, random } = parts
  const { id, epoch } = job.header
  const change = async (deliveryChange: DeliveryChange) => {
    const at = new Date(clock.now()).toISOString()
    const applied = await apply(id, { events: [], at, epoch, decide: { delivery: deliveryChange } })
    return 'header' in applied && !applied.repeat
  }
  const tries = delivery.tries + 1
  const counted: Delivery = { ...delivery, tries, at: Math.round(clock.now() + waitAfter(tries, random)) }
  if (!(await change({ from: delivery, to: counted }))) return 'missed'
  const { reason, isGone } = await sender.send(counted, job)
  if (reason !== undefined && !isGone && tries < MAX_TRIES) return 'failed'
  // First, so that a crash in between leaves it in both places rather than in none.
  if (reason !== undefined) await undelivered.add(job.header, counted, reason)
  await change({ from: counted, ...(isGone ? { isGone } : {}) })
  return reason === undefined ? 'delivered' : 'undelivered'
}
