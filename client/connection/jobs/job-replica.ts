import { formatCursor } from '../../../shared/document/cursor.ts'
import type { AppliedEvent } from '../../../shared/document/events.ts'
import type { Item, Job, Patch } from '../../../shared/document/job.ts'
import { LiveJob } from '../../../shared/document/live-job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { type EndReason, patchOfSnapshot, type StreamMessage } from '../../../shared/wire/messages.ts'
import type { Received } from '../connection.ts'

/** A message about the job. */
export type JobMessage = Exclude<StreamMessage, { event: 'ping' }>

/**
 * The client's copy of a job: folds the messages of its stream.
 *
 * A paged document shows only once it is complete; until then {@link job} stays as it was.
 */
export class JobReplica {
  #live: LiveJob | undefined
  #job: Job | undefined
  /** The copy whose document was last complete. */
  #shown: LiveJob | undefined
  /** No page is missing. */
  #whole = false

  /** The document when it was last complete. A new object after each change, with the same arrays. */
  get job(): Job | undefined {
    return this.#job
  }

  /** An item of {@link job}. */
  item(id: string): Item | undefined {
    return this.#shown?.item(id)
  }

  /** The cursor of what is here, pages of an incomplete document included. */
  get cursor(): string | undefined {
    return this.#live && formatCursor(this.#live.job)
  }

  /** Takes a message of the job's stream. */
  receive(message: JobMessage): Received {
    switch (message.event) {
      case 'snapshot':
        return this.#begin(patchOfSnapshot(message.data))
      case 'patch':
        return this.#continue(message.data)
      case 'end':
        return this.#end(message.data.reason)
      default:
        return this.#apply(message.data)
    }
  }

  /** A snapshot replaces everything, even a newer version: a restored server has an older version of the same epoch. */
  #begin(patch: Patch): Received {
    this.#live = LiveJob.from(patch)
    return this.#taken(!patch.more)
  }

  #continue(patch: Patch): Received {
    if (patch.from === 0) return this.#begin(patch)
    const live = this.#live
    if (!live || patch.job.epoch !== live.job.epoch || patch.from > live.job.version) return { gap: true }
    // The shown document stays complete: pages go into copies of its arrays.
    if (patch.more && this.#whole) this.#live = new LiveJob(copy(live.job))
    this.#live?.applyPatch(patch)
    return this.#taken(!patch.more)
  }

  #apply(event: AppliedEvent): Received {
    const live = this.#live
    if (!live || event.version > live.job.version + 1) return { gap: true }
    live.applyEvent(event)
    return this.#taken(this.#whole)
  }

  /** An `end` without the final state means that something is missing. */
  #end(reason: EndReason): Received {
    const isOver = this.#whole && this.#job !== undefined && isTerminalStatus(this.#job.status)
    if (!isOver && (reason === 'completed' || reason === 'failed' || reason === 'cancelled')) return { gap: true }
    return { ended: reason }
  }

  #taken(whole: boolean): Received {
    this.#whole = whole
    const job = this.#live?.job
    if (!job) return {}
    if (whole) {
      this.#job = job
      this.#shown = this.#live
    }
    return {}
  }
}

function copy(job: Job): Job {
  return {
    ...job,
    steps: job.steps.slice(),
    items: job.items.slice(),
    errors: job.errors.slice(),
    logs: job.logs.slice(),
  }
}
