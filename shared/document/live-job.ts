import type { AppliedEvent } from './events.ts'
import { foldEvent, mergePatch, patchApplies } from './fold.ts'
import type { Item, Job, Patch, Step } from './job.ts'

/**
 * A document that is updated in place, at a cost that does not grow with the rows already there: the mutable counterpart of
 * {@link applyEvent} and {@link applyPatch}, for long-lived documents.
 *
 * {@link job} is a new object after each change; its arrays are the same ones, changed. Between the pages of a patch (`more`) they may
 * have holes: rows come in the order of their versions, not of their places.
 */
export class LiveJob {
  #job: Job
  readonly #items = new Map<string, Item>()
  readonly #steps = new Map<string, Step>()

  constructor(job: Job) {
    this.#job = job
    this.#remember(job)
  }

  /** A document made from a patch that begins at 0, as a snapshot or its first page does. */
  static from(patch: Patch): LiveJob {
    const live = new LiveJob({ ...(patch.job as Job), version: 0, steps: [], items: [], errors: [], logs: [] })
    live.applyPatch({ ...patch, from: 0 })
    return live
  }

  get job(): Job {
    return this.#job
  }

  item(id: string): Item | undefined {
    return this.#items.get(id)
  }

  step(id: string): Step | undefined {
    return this.#steps.get(id)
  }

  /** Applies the next event. Returns `false` for any other, and changes nothing. */
  applyEvent(event: AppliedEvent): boolean {
    if (event.version !== this.#job.version + 1) return false
    const row = event.type === 'item' ? this.item(event.id) : event.type === 'step' ? this.step(event.id) : undefined
    return this.applyPatch(foldEvent(this.#job, { row, stepCount: this.#job.steps.length }, event))
  }

  /** Applies a patch that continues the document. Returns `false` for any other, and changes nothing. */
  applyPatch(patch: Patch): boolean {
    if (!patchApplies(this.#job, patch)) return false
    if (patch.from === 0) {
      this.#items.clear()
      this.#steps.clear()
    }
    this.#job = mergePatch(this.#job, patch)
    this.#remember(patch)
    return true
  }

  #remember(rows: Pick<Patch, 'items' | 'steps'>): void {
    for (const item of rows.items ?? []) this.#items.set(item.id, item)
    for (const step of rows.steps ?? []) this.#steps.set(step.id, step)
  }
}
