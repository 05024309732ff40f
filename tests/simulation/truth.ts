import type { Change, Engine } from '../../server/jobs/engine.ts'
import type { AppliedEvent } from '../../shared/document/events.ts'
import { applyEvent } from '../../shared/document/fold.ts'
import type { Job } from '../../shared/document/job.ts'

/** One life of a job, as it really was. */
export interface Life {
  /** `documents[v - 1]` is the fold of the first v events. */
  documents: Job[]
  events: AppliedEvent[]
  removed: boolean
}

/** What really happened: every life of every job, told by the engine itself, without a fault between. */
export class Truth {
  readonly #lives = new Map<string, Life>()
  /** The newest life of each job. */
  readonly #newest = new Map<string, Life>()

  /** Begins to listen: before the owner's first job is made. */
  async listen(engine: Engine, owner: string): Promise<void> {
    await engine.watch({ owner }, (change) => this.#record(change))
  }

  life(epoch: string): Life {
    const life = this.#lives.get(epoch)
    if (!life) throw new Error(`There was never a life ${epoch}`)
    return life
  }

  /** The fold of the first `version` events of a life. */
  at(epoch: string, version: number): Job {
    const document = this.life(epoch).documents[version - 1]
    if (!document) throw new Error(`Life ${epoch} never was at version ${version}`)
    return document
  }

  /** The document of a job as it is now; `undefined` when it was removed. */
  newest(id: string): Job | undefined {
    const life = this.#newest.get(id)
    return life?.removed ? undefined : life?.documents.at(-1)
  }

  #record({ id, epoch, from, header, events = [], removed }: Change): void {
    if (removed) {
      this.life(epoch).removed = true
      return
    }
    if (from === 0 && header) {
      const born: Life = {
        documents: [{ ...header, steps: [], items: [], errors: [], logs: [] }],
        events: [],
        removed: false,
      }
      this.#lives.set(epoch, born)
      this.#newest.set(id, born)
    }
    const life = this.life(epoch)
    for (const event of events) {
      const before = life.documents.at(-1)
      if (before?.version !== event.version - 1) throw new Error(`Event ${event.version} follows ${before?.version}`)
      life.documents.push(applyEvent(before, event))
      life.events.push(event)
    }
  }
}
