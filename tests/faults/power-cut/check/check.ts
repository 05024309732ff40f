import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '../../../../server/engines/sqlite/engine.ts'
import type { Engine } from '../../../../server/jobs/engine.ts'
import type { Job, JobHeader, Patch } from '../../../../shared/document/job.ts'
import { DATABASE } from '../recording.ts'
import { withoutGeneration } from '../workload/said.ts'
import { batchOf, compareEpochs, endOf, OWNER, RUNS } from '../workload/script.ts'
import { mustBe, pathTo, type State } from './history.ts'
import { isBefore, type Known, type KnownJob } from './known.ts'
import { documentAfter } from './model.ts'

/** Keys that are tried of each job. */
const KEYS = 3

/**
 * Opens the files of a folder as a restarted server does, and checks that all is there that anyone knew of, and nothing that
 * nobody published.
 *
 * @param goesOn publishes to each job, too, which changes it, and has SQLite look at the file
 * @throws Error of the first thing that is wrong
 */
export async function check(folder: string, known: Known, jobs: readonly string[], goesOn = true) {
  const path = join(folder, DATABASE)
  const engine = await SqliteEngine.open(path)
  try {
    const listed = new Map((await engine.list({ owner: OWNER, limit: 100 })).rows.map((header) => [header.id, header]))
    for (const job of jobs) {
      const header = (await engine.read(job))?.header
      mustBe(`${job} in the list`, listed.get(job), header)
      const state = header && known.history.stateOf(header)
      checkKnown(job, known.jobs.get(job), state)
      if (!state) continue
      mustBe(`The document of ${job}`, await documentOf(engine, job), state.document)
      await checkKeys(engine, state)
      if (goesOn) await checkGoesOn(engine, state)
    }
  } finally {
    await engine.close()
  }
  if (goesOn) checkFile(path)
}

function checkKnown(job: string, known: KnownJob | undefined, state: State | undefined): void {
  if (!known) return
  const { epoch = '', seen, isGone, mayBeGone } = known
  const version = `${epoch}-${seen?.document.version ?? 0}`
  if (!state) {
    if (!isGone && !mayBeGone) throw new Error(`${job} is lost: someone knew of ${version}`)
    return
  }
  const order = compareEpochs(state.epoch, epoch)
  if (order < 0) throw new Error(`${job} is back in an earlier life, ${state.epoch}: someone knew of ${version}`)
  if (order > 0) return
  if (isGone) throw new Error(`${job} is back in the life ${epoch}: someone knew that it is over`)
  const found = state.document.version
  if (seen && found < seen.document.version) throw new Error(`${job} is at ${found}: someone knew of ${version}`)
  if (seen && !isBefore(seen, state)) throw new Error(`${job} has another version ${version} than someone knew of`)
}

/** A key of a batch that is in the document is answered as a repeat. */
async function checkKeys(engine: Engine, state: State): Promise<void> {
  const keyed = [...pathTo(state)].filter(({ batch }) => batch?.key).slice(0, 200)
  // The newest, the oldest that is kept for certain, and one between.
  const tried = [keyed[0], keyed.at(-1), keyed[keyed.length >> 1]].slice(0, KEYS)
  for (const { batch } of tried.filter((one) => one !== undefined)) {
    if (!batch) continue
    const answer = await engine.apply(state.job, batch)
    const { version } = state.document
    if ('refused' in answer || !answer.repeat || answer.header.version !== version)
      throw new Error(`The key ${batch.key?.key} of ${state.job} is not known: ${JSON.stringify(answer)}`)
  }
}

/** The next batch is taken, and the document is what it comes to. */
async function checkGoesOn(engine: Engine, { job, epoch, document }: State): Promise<void> {
  // One that has ended takes nothing; one that is large takes long.
  if (document.endedAt !== undefined || job.startsWith('large')) return
  const sent = { job, epoch, from: document.version, run: RUNS - 1 }
  if (endOf(sent) === 'is removed') return mustBe(`The removal of ${job}`, await engine.remove(job, { epoch }), true)
  const batch = batchOf(sent)
  const answer = await engine.apply(job, batch)
  if ('refused' in answer) throw new Error(`${job} does not go on: ${JSON.stringify(answer.refused)}`)
  mustBe(`The document of ${job}, gone on with`, await documentOf(engine, job), documentAfter(document, batch))
}

/** By SQLite itself: indexes that are not what their tables are would be found by chance alone. */
function checkFile(path: string): void {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    mustBe('The integrity of the file', db.prepare('PRAGMA integrity_check').get(), { integrity_check: 'ok' })
  } finally {
    db.close()
  }
}

/** The whole document, put together page by page without the code that clients do it with. */
async function documentOf(engine: Engine, id: string): Promise<Job> {
  const pages: Patch[] = []
  let last: Patch | undefined
  do {
    const cursor = last && { epoch: last.job.epoch, generation: last.job.generation, version: last.to }
    last = await engine.changesSince(id, cursor, { view: 'all', maxBytes: 1024 * 1024 })
    if (!last) throw new Error(`${id} can be read and has no document`)
    pages.push(last)
  } while (last.more)
  const byIndex = (one: { index: number }, other: { index: number }) => one.index - other.index
  const { result: _result, metadata: _metadata, ...header } = withoutGeneration(last.job as JobHeader)
  const document: Job = {
    ...header,
    steps: pages.flatMap(({ steps = [] }) => steps).toSorted(byIndex),
    items: pages.flatMap(({ items = [] }) => items).toSorted(byIndex),
    errors: pages.flatMap(({ errors = [] }) => errors),
    logs: pages.flatMap(({ logs = [] }) => logs),
  }
  for (const { result, metadata } of pages.map(({ job }) => job)) {
    if (result !== undefined && result !== null) document.result = result
    if (metadata !== undefined && metadata !== null) document.metadata = metadata
  }
  return document
}
