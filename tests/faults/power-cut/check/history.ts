import type { Batch } from '../../../../server/jobs/engine.ts'
import type { Job, JobHeader } from '../../../../shared/document/job.ts'
import { digestEvents, digestRows, type Said, type Sight, withoutGeneration } from '../workload/said.ts'
import { batchOf, jobOf, runOf } from '../workload/script.ts'
import { appliedEvents, documentAfter, documentOfNew, headerOf } from './model.ts'

/** A state that a job may have: after its creation, or after a batch. */
export interface State {
  job: string
  epoch: string
  document: Job
  /** The state before, and the batch that led from it. */
  before?: State
  batch?: Batch
}

/** All states that jobs could come to by what publishers did, by the model. */
export class History {
  readonly #states = new Map<string, State>()

  /** Takes what may come to be from now on. */
  take(said: Said): void {
    if (said.say === 'create') {
      const { job, epoch } = said
      this.#add({ job, epoch, document: documentOfNew(jobOf(job, epoch)) })
    } else if (said.say === 'send') {
      const { job, epoch, from, run, after } = said
      const before = this.#states.get(keyOf(job, epoch, from, after))
      if (!before) throw new Error(`${job} was continued from a state that it never had: ${JSON.stringify(said)}`)
      const batch = batchOf({ job, epoch, from, run })
      this.#add({ job, epoch, document: documentAfter(before.document, batch), before, batch })
    }
  }

  /** The state that a header shows, all of it. @throws Error when no job ever had such a header */
  stateOf(header: JobHeader): State {
    const { id, epoch, version } = header
    const state = this.#states.get(keyOf(id, epoch, version, runOf(header)))
    if (!state) throw new Error(`${id} never came to version ${epoch}-${version} by whole batches`)
    mustBe(`${id} at ${epoch}-${version}`, withoutGeneration(header), headerOf(state.document))
    return state
  }

  /** The state that was seen. @throws Error when it was shown as something else than what was published */
  stateSeen({ how, header, since, rows, events }: Sight): State {
    const state = this.stateOf(how === 'changes' ? this.#withBulk(header, since === 0) : header)
    if (since === undefined) return state
    const what = `${header.id} from ${since} to ${header.version}`
    if (rows !== undefined) mustBe(`Rows of ${what}`, rows, digestRows(rowsSince(state.document, since)))
    if (events !== undefined) mustBe(`Events of ${what}`, events, digestEvents(eventsSince(state, since)))
    return state
  }

  /** The header of a patch, which has `result` and `metadata` when they changed, and `null` when they were cleared. */
  #withBulk(header: JobHeader, isWhole: boolean): JobHeader {
    const state = this.#states.get(keyOf(header.id, header.epoch, header.version, runOf(header)))
    const shown: JobHeader = { ...header }
    for (const name of ['result', 'metadata'] as const) {
      const value = isWhole || shown[name] !== undefined ? shown[name] : state?.document[name]
      delete shown[name]
      if (value !== undefined && value !== null) Object.assign(shown, { [name]: value })
    }
    return shown
  }

  #add(state: State): void {
    const key = keyOf(state.job, state.epoch, state.document.version, runOf(state.document))
    // A batch that is sent again leads to the same state.
    if (!this.#states.has(key)) this.#states.set(key, state)
  }
}

/** The states of a life up to one of them, the newest first. */
export function* pathTo(state: State | undefined): Generator<State> {
  for (let at = state; at; at = at.before) yield at
}

const keyOf = (job: string, epoch: string, version: number, run: number) => `${job} ${epoch} ${version} ${run}`

function rowsSince({ steps, items, errors, logs }: Job, since: number) {
  const isNew = ({ version }: { version: number }) => version > since
  return {
    steps: steps.filter(isNew),
    items: items.filter(isNew),
    errors: errors.filter(isNew),
    logs: logs.filter(isNew),
  }
}

function eventsSince(state: State, since: number) {
  const batches = [...pathTo(state)].filter(({ before }) => before && before.document.version >= since).reverse()
  return batches.flatMap(({ batch, before }) => (batch && before ? appliedEvents(batch, before.document) : []))
}

/** @throws Error that shows both, and what they are of */
export function mustBe(what: string, found: unknown, expected: unknown): void {
  if (Bun.deepEquals(found, expected)) return
  const show = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 1_500)
  throw new Error(`${what} is\n  ${show(found)}\nand not\n  ${show(expected)}`)
}
