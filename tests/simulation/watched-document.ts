import type { View } from '../../server/jobs/engine.ts'
import { type Cursor, formatCursor } from '../../shared/document/cursor.ts'
import type { AppliedEvent } from '../../shared/document/events.ts'
import type { Job, Patch } from '../../shared/document/job.ts'
import { LiveJob } from '../../shared/document/live-job.ts'
import { type EndData, type EndReason, patchOfSnapshot, type SnapshotData } from '../../shared/wire/messages.ts'
import type { Truth } from './truth.ts'

/** A law that was broken. */
export class Violation extends Error {}

function must(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Violation(sentence)
}

/**
 * One job as one watcher has it, message by message, held to the law: at version v it is the fold of the first v events; versions come in
 * order, none twice, with no hole.
 */
export class WatchedDocument {
  readonly view: View
  readonly #truth: Truth
  #live: LiveJob | undefined
  /** Pages of it are still to come: it is at no version. */
  #partial = false
  #ended: EndReason | undefined

  constructor(truth: Truth, view: View) {
    this.#truth = truth
    this.view = view
  }

  /** Why the stream of this job ended for good, once it has. */
  get ended(): EndReason | undefined {
    return this.#ended
  }

  /** What a reconnecting client says that it has. */
  get cursor(): Cursor | undefined {
    return this.#live && { epoch: this.#live.job.epoch, version: this.#live.job.version }
  }

  /** The document, unless pages of it are missing. */
  get job(): Job | undefined {
    return this.#partial ? undefined : this.#live?.job
  }

  /** @param cursor what the message says where it takes the document */
  take(event: string, data: unknown, cursor: string): void {
    must(this.#ended === undefined, `${event} after the end`)
    if (event === 'end') {
      this.#end((data as EndData).reason)
      return
    }
    if (event === 'snapshot') this.#takeSnapshot(data as SnapshotData)
    else if (event === 'patch') this.#takePatch(data as Patch)
    else this.#takeEvent(event, data as AppliedEvent)
    must(
      this.#live !== undefined && cursor === formatCursor(this.#live.job),
      `${event} says ${cursor}, and takes the document elsewhere`,
    )
    this.#compare(event)
  }

  #takeSnapshot(data: SnapshotData): void {
    const patch = patchOfSnapshot(this.view === 'all' ? data : { ...data, steps: [], items: [], errors: [], logs: [] })
    const known = this.#live?.job
    const isNews = !known || known.epoch !== data.epoch || data.version > known.version || this.#partial
    must(isNews, `a snapshot of version ${data.version} to one who has ${known?.version}`)
    this.#partial = patch.more === true
    this.#live = LiveJob.from(patch)
  }

  #takePatch(patch: Patch): void {
    const version = this.#live?.job.version
    must(this.#live !== undefined && patch.job.epoch === this.#live.job.epoch, 'a patch without a document to patch')
    must(patch.from === version, `a patch from ${patch.from} to one who has ${version}`)
    must(patch.to > patch.from, `a patch from ${patch.from} to ${patch.to}, which says nothing`)
    this.#partial = patch.more === true
    must(this.#live.applyPatch(patch), 'a patch that does not apply')
  }

  #takeEvent(name: string, event: AppliedEvent): void {
    must(this.#live !== undefined && !this.#partial, `${name} without a document`)
    const { version } = this.#live.job
    must(this.view === 'all', `${name} to one who follows headers alone`)
    must((event.type === 'error' ? 'job-error' : event.type) === name, `${event.type} that travels as ${name}`)
    must(event.version === version + 1, `event ${event.version} to one who has ${version}`)
    must(this.#live.applyEvent(event), 'an event that does not apply')
  }

  #compare(by: string): void {
    if (!this.#live || this.#partial) return
    const { job } = this.#live
    const truth = this.#truth.at(job.epoch, job.version)
    const expected = this.view === 'all' ? truth : { ...truth, steps: [], items: [], errors: [], logs: [] }
    must(
      Bun.deepEquals(job, expected, true),
      `after ${by}, version ${job.version} is\n${JSON.stringify(job)}\nand not\n${JSON.stringify(expected)}`,
    )
  }

  #end(reason: EndReason): void {
    this.#ended = reason
    const known = this.#live?.job
    if (reason === 'deleted' || reason === 'expired') {
      must(known === undefined || this.#truth.life(known.epoch).removed, `end: ${reason} of a job that is there`)
      return
    }
    must(known !== undefined && !this.#partial, `end: ${reason} without a document`)
    must(known.status === reason, `end: ${reason} of a job that is ${known.status}`)
  }
}
