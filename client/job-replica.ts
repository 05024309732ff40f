import { formatCursor } from '../shared/cursor.ts'
import type { AppliedEvent } from '../shared/events.ts'
import type { Job, Patch } from '../shared/job.ts'
import { LiveJob } from '../shared/live-job.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import { type EndReason, patchOfSnapshot, type SnapshotData, type StreamMessage } from '../shared/wire.ts'
import type { Received } from './received.ts'

/** What a stream says of its job. */
export type JobMessage = Exclude<StreamMessage, { event: 'ping' }>

/**
 * The client's copy of a job: what the stream said, folded, one message at a time.
 *
 * What arrives in pages shows only once it is whole; until then {@link job} stays what it was.
 */
export class JobReplica {
  #live: LiveJob | undefined
  #job: Job | undefined
  /** No page is missing. */
  #whole = false

  /** The document as of the last moment at which it was whole. A new object after each change; its arrays are the same ones. */
  get job(): Job | undefined {
    return this.#job
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

  /** Takes the answer of a poll: the document, or a patch since the cursor. */
  receiveAnswer(answer: Job | SnapshotData | Patch): Received {
    const patch = 'from' in answer ? answer : patchOfSnapshot(answer)
    const received = 'from' in answer ? this.#continue(patch) : this.#begin(patch)
    if (received.gap || patch.more) return { ...received, more: patch.more }
    const { status } = patch.job
    return isTerminalStatus(status) ? { ...received, ended: status as EndReason } : received
  }

  /** Everything begins again, whatever was there: a server that was restored from a backup has an older version of the same life. */
  #begin(patch: Patch): Received {
    this.#live = LiveJob.from(patch)
    return this.#taken(!patch.more)
  }

  #continue(patch: Patch): Received {
    if (patch.from === 0) return this.#begin(patch)
    const live = this.#live
    if (!live || patch.job.epoch !== live.job.epoch || patch.from > live.job.version) return { gap: true }
    // The document that is shown stays whole: its arrays are left to it, and pages go into copies.
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

  /** A job that is over is here to its end, or something is missing. */
  #end(reason: EndReason): Received {
    const isOver = this.#whole && this.#job !== undefined && isTerminalStatus(this.#job.status)
    if (!isOver && (reason === 'completed' || reason === 'failed' || reason === 'cancelled')) return { gap: true }
    return { ended: reason }
  }

  #taken(whole: boolean): Received {
    this.#whole = whole
    const job = this.#live?.job
    if (!job) return {}
    if (whole) this.#job = job
    return { cursor: formatCursor(job) }
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
