import type { Change, Engine } from '../../../../server/jobs/engine.ts'
import type { Cursor } from '../../../../shared/document/cursor.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { type Channel, digestEvents, digestRows, type Said, type Sight } from './said.ts'
import { compareEpochs, OWNER } from './script.ts'

/** The others in the process: who is told of changes, and who reads jobs beside those who publish to them. */
export class Watcher {
  readonly #engine: Engine
  readonly #jobs: readonly string[]
  readonly #random: SeededRandom
  readonly #say: (said: Said) => void
  /** The life of each job that was there last, as far as anyone here knows. */
  readonly #lives = new Map<string, string>()
  /** Where each job stood when its changes were read last. */
  readonly #cursors = new Map<string, Cursor>()
  /** What was said last, to say nothing twice. */
  readonly #last = new Map<string, string>()

  constructor(engine: Engine, jobs: readonly string[], run: number, say: (said: Said) => void) {
    this.#engine = engine
    this.#jobs = jobs
    this.#random = new SeededRandom(run)
    this.#say = say
  }

  /** Has itself woken by every change. */
  async watch(): Promise<void> {
    const wake = (change: Change) => this.#told(change)
    await this.#engine.watch({ owner: OWNER }, wake)
    for (const job of this.#jobs) await this.#engine.watch({ job }, wake)
  }

  /** Says what a producer has to say, and takes note of it. */
  pass(said: Said): void {
    if (said.say === 'saw') this.#note(said.header)
    this.#say(said)
  }

  /** Reads this and that until something ends. */
  async readUntil(end: Promise<unknown>): Promise<void> {
    let isOver = false
    const ended = end.finally(() => {
      isOver = true
    })
    while (!isOver) {
      const job = this.#jobs[this.#random.below(this.#jobs.length)] ?? ''
      // An engine in doubt refuses.
      await this.#read(job).catch(() => {})
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1))])
    }
    await ended
  }

  async #read(job: string): Promise<void> {
    const life = this.#lives.get(job)
    const choice = this.#random.below(4)
    if (choice === 0) {
      const { rows } = await this.#engine.list({ owner: OWNER, limit: 100 })
      for (const header of rows) this.#see({ how: 'list', header })
      if (!rows.some(({ id }) => id === job)) this.#miss('list', job, life)
    } else if (choice === 1) {
      const found = await this.#engine.read(job)
      if (found) this.#see({ how: 'read', header: found.header })
      else this.#miss('read', job, life)
    } else {
      // Now and then the whole document.
      const cursor = this.#random.chance(0.1) ? undefined : this.#cursors.get(job)
      const patch = await this.#engine.changesSince(job, cursor, { view: 'all', maxBytes: Number.MAX_SAFE_INTEGER })
      if (!patch) return this.#miss('changes', job, life)
      const header = patch.job as JobHeader
      this.#see({ how: 'changes', header, since: patch.from, rows: digestRows(patch) })
      this.#cursors.set(job, { epoch: header.epoch, generation: header.generation, version: patch.to })
    }
  }

  #told({ id, epoch, from, header, events, removed }: Change): void {
    if (removed) this.#say({ say: 'gone', how: 'told', job: id, epoch })
    else if (header)
      this.#see({ how: 'told', header, ...(events ? { since: from, events: digestEvents(events) } : {}) })
  }

  #see(sight: Sight): void {
    this.#note(sight.header)
    const said: Said = { say: 'saw', ...sight }
    const text = JSON.stringify(said)
    if (this.#last.get(`${sight.how} ${sight.header.id}`) === text) return
    this.#last.set(`${sight.how} ${sight.header.id}`, text)
    this.#say(said)
  }

  #note({ id, epoch }: JobHeader): void {
    const known = this.#lives.get(id)
    if (known === undefined || compareEpochs(known, epoch) < 0) this.#lives.set(id, epoch)
  }

  /** @param life that was known before it was asked: only of that it is certain that it has gone */
  #miss(how: Channel, job: string, life: string | undefined): void {
    if (life === undefined) return
    const said: Said = { say: 'gone', how, job, epoch: life }
    if (this.#last.get(`${how} ${job}`) === JSON.stringify(said)) return
    this.#last.set(`${how} ${job}`, JSON.stringify(said))
    this.#say(said)
  }
}
