import type { Job, Patch } from '../../shared/document/job.ts'
import { LiveJob } from '../../shared/document/live-job.ts'
import { patchOfSnapshot, type SnapshotData } from '../../shared/wire/messages.ts'
import type { Received } from './stream-reader.ts'

/** The document that messages come to. Throws at the first that does not follow. */
export class FoldedJob {
  #live: LiveJob | undefined

  take({ event, data }: Received): void {
    if (event === 'snapshot') this.#live = LiveJob.from(patchOfSnapshot(data as unknown as SnapshotData))
    else if (event === 'patch') this.#must(this.#live?.applyPatch(data as unknown as Patch), event)
    else if (event !== 'ping' && event !== 'end') this.#must(this.#live?.applyEvent(data as never), event)
  }

  #must(applied: boolean | undefined, event: string): void {
    if (!applied) throw new Error(`${event} does not follow version ${this.#live?.job.version}`)
  }

  get job(): Job {
    if (!this.#live) throw new Error('No snapshot came')
    return this.#live.job
  }
}
