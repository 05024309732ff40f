/**
 * A process that publishes to jobs and watches them, to be recorded, killed and cut off: `bun publisher.ts PATH RUN BATCHES JOBS…`.
 * It prints what it does and learns, as `said.ts` has it, and ends after so many batches a job, or goes on for ever with 0.
 */
import { writeSync } from 'node:fs'
import { SqliteEngine } from '../../../../server/engines/sqlite/engine.ts'
import type { Applied, Created } from '../../../../server/jobs/engine.ts'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { lineOf, type Said } from './said.ts'
import { batchOf, endOf, epochOf, jobOf, runOf } from './script.ts'
import { Watcher } from './watcher.ts'

/** Refusals in a row after which a producer gives up: the engine does not come back by itself. */
const PATIENCE = 60

export class Producer {
  readonly #engine: SqliteEngine
  readonly #job: string
  readonly #run: number
  readonly #random: SeededRandom
  readonly #say: (said: Said) => void
  #lives = 0
  /** What it stands on; nothing while that has to be read. */
  #header: JobHeader | undefined
  /** Refusals since the last answer, and in all. */
  #refusals = 0
  refused = 0

  constructor(engine: SqliteEngine, job: string, run: number, say: (said: Said) => void) {
    this.#engine = engine
    this.#job = job
    this.#run = run
    this.#random = new SeededRandom(run * 1_000 + Number(Bun.hash(job) & 0xffn))
    this.#say = say
  }

  /** Publishes so many batches. */
  async publish(batches: number): Promise<void> {
    for (let count = 0; count < batches && this.#refusals < PATIENCE; count++) {
      const header = this.#header ?? (await this.#read())
      if (this.#refusals > 0 && !header) continue
      if (!header) await this.#create()
      else if (
        header.endedAt !== undefined ||
        endOf({ job: this.#job, epoch: header.epoch, from: header.version }) === 'is removed'
      )
        await this.#remove(header)
      else await this.#send(header)
    }
    if (this.#refusals >= PATIENCE) this.#say({ say: 'gave up', job: this.#job })
  }

  /** Learns where the job stands. */
  async #read(): Promise<JobHeader | undefined> {
    try {
      this.#header = (await this.#engine.read(this.#job))?.header
      this.#refusals = 0
      if (this.#header) this.#say({ say: 'saw', how: 'read', header: this.#header })
    } catch {
      await this.#wait()
    }
    return this.#header
  }

  async #create(): Promise<void> {
    this.#lives += 1
    const epoch = epochOf(this.#run, this.#lives)
    this.#say({ say: 'create', job: this.#job, epoch })
    await this.#take(this.#engine.create(jobOf(this.#job, epoch)))
  }

  async #send(header: JobHeader): Promise<void> {
    const sent = { job: this.#job, epoch: header.epoch, from: header.version, run: this.#run }
    this.#say({ say: 'send', ...sent, after: runOf(header) })
    const batch = batchOf(sent)
    // Two requests with one key, as from a producer that lost patience: one batch.
    const again = batch.key && this.#random.chance(0.1) ? this.#take(this.#engine.apply(this.#job, batch)) : undefined
    let isTaken = await this.#take(this.#engine.apply(this.#job, batch))
    await again
    // A producer that has a key asks again.
    while (batch.key && !isTaken && this.#refusals < PATIENCE)
      isTaken = await this.#take(this.#engine.apply(this.#job, batch))
  }

  async #remove({ epoch }: JobHeader): Promise<void> {
    this.#say({ say: 'remove', job: this.#job, epoch })
    this.#header = undefined
    try {
      if (await this.#engine.remove(this.#job, { epoch }))
        this.#say({ say: 'gone', how: 'answer', job: this.#job, epoch })
    } catch {
      await this.#wait()
    }
  }

  /** @returns whether there was an answer; otherwise what came of it has to be read */
  async #take(request: Promise<Applied | Created>): Promise<boolean> {
    this.#header = undefined
    const answer = await request
    if ('refused' in answer) {
      // A batch that goes on from a version that has passed is refused for good.
      if (answer.refused.status === 409) return true
      if (answer.refused.status !== 503) throw new Error(`${this.#job}: ${JSON.stringify(answer.refused)}`)
      await this.#wait()
      return false
    }
    this.#refusals = 0
    this.#header = 'header' in answer ? answer.header : answer.job.header
    this.#say({ say: 'saw', how: 'answer', header: this.#header })
    return true
  }

  async #wait(): Promise<void> {
    this.#refusals += 1
    this.refused += 1
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

async function open(path: string): Promise<SqliteEngine | string> {
  try {
    return await SqliteEngine.open(path)
  } catch (error) {
    return String(error)
  }
}

if (import.meta.main) {
  const [path = '', run = '', batches = '', ...jobs] = process.argv.slice(2)
  // Straight into the pipe: what was printed was learned, whenever the kill comes.
  const say = (said: Said) => writeSync(1, lineOf(said))
  say({ say: 'started', pid: process.pid, run: Number(run) })
  const engine = await open(path)
  if (typeof engine === 'string') {
    say({ say: 'not opened', reason: engine })
    process.exit()
  }
  const watcher = new Watcher(engine, jobs, Number(run), say)
  await watcher.watch()
  const producers = jobs.map((job) => new Producer(engine, job, Number(run), (said) => watcher.pass(said)))
  const all = Promise.all(
    producers.map((producer, index) =>
      // A large batch counts for ten.
      producer.publish(
        Number(batches) === 0 ? Number.MAX_SAFE_INTEGER : Number(batches) / (jobs[index]?.startsWith('large') ? 10 : 1),
      ),
    ),
  )
  await watcher.readUntil(all)
  await engine.close()
  say({ say: 'ended', refused: producers.reduce((sum, { refused }) => sum + refused, 0) })
}
