import { foldAsks } from './asks.ts'
import type { AppliedEvent } from './events.ts'
import type { ErrorRow, Item, Job, JobHeader, LogRow, Patch, PatchHeader, Step } from './job.ts'
import { ERROR_WINDOW, LOG_WINDOW } from './limits.ts'
import { mergeHeader } from './merge-header.ts'
import { paceAfter } from './pace.ts'
import { countItems, isTerminalStatus } from './selectors.ts'

/** What an event needs to know of the rows that are there already. */
interface Named {
  /** The step or item that the event names, if there is one. */
  row?: Step | Item | undefined
  /** How many steps the job has. */
  stepCount: number
}

/**
 * The fold: what one event changes in a document. Pure, and the only place that knows what events mean; server and
 * browser both run it.
 *
 * @param job the header before the event, at `event.version - 1`
 * @param named the row that the event names
 */
export function foldEvent(job: JobHeader, named: Named, event: AppliedEvent): Patch {
  const header: PatchHeader = { ...job, version: event.version, updatedAt: event.at }
  if (header.result !== undefined) delete header.result
  if (header.metadata !== undefined) delete header.metadata
  if (event.type !== 'control') header.lastEventAt = event.at
  if (event.generation !== undefined) header.generation = event.generation
  const patch: Patch = { from: event.version - 1, to: event.version, job: header }
  switch (event.type) {
    case 'progress':
      header.progress = { ...job.progress, done: event.done }
      for (const key of ['total', 'succeeded', 'failed', 'unit', 'message'] as const)
        assign(header.progress, key, event[key])
      foldPace(job, header)
      break
    case 'status':
      foldStatus(header, event)
      foldPace(job, header)
      break
    case 'control':
      header.cancelRequested = event.cancelRequested ?? job.cancelRequested
      header.pauseRequested = event.pauseRequested ?? job.pauseRequested
      break
    case 'ask':
    case 'answer':
      delete header.openAsks
      Object.assign(header, foldAsks(job, event))
      foldPace(job, header)
      break
    case 'item': {
      const before = named.row as Item | undefined
      const item = foldItem(before, countItems(job), event)
      const counts = { ...job.itemCounts }
      if (before) counts[before.status] -= 1
      counts[item.status] += 1
      header.itemCounts = counts
      foldPace(job, header)
      patch.items = [item]
      break
    }
    case 'step':
      patch.steps = [foldStep(named.row as Step | undefined, named.stepCount, event)]
      break
    case 'error':
      header.errorCount += 1
      patch.errors = [foldError(event)]
      break
    case 'log':
      header.logCount += 1
      patch.logs = [{ version: event.version, at: event.at, level: event.level ?? 'info', message: event.message }]
      break
  }
  return patch
}

type Applied<T extends AppliedEvent['type']> = Extract<AppliedEvent, { type: T }>

/** Assigns an optional field of an event: a value sets it, `null` clears it, `undefined` keeps it. */
function assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | null | undefined): void {
  if (value === null) delete target[key]
  else if (value !== undefined) target[key] = value
}

function foldStatus(header: PatchHeader, event: Applied<'status'>): void {
  header.status = event.status
  if (event.status === 'running') header.startedAt ??= event.at
  if (isTerminalStatus(event.status)) {
    header.endedAt = event.at
    // What nobody has answered is asked no more.
    delete header.openAsks
  }
  assign(header, 'message', event.message)
  assign(header, 'title', event.title)
  assign(header, 'attempt', event.attempt)
  assign(header, 'expiresAt', event.expiresAt)
  // A cleared `result` or `metadata` stays `null` in the patch, where a missing one means unchanged.
  if (event.result !== undefined) header.result = event.result
  if (event.metadata !== undefined) header.metadata = event.metadata
}

function foldPace(before: JobHeader, header: PatchHeader): void {
  const pace = paceAfter(before, header)
  if (pace) header.pace = pace
  else if (header.pace) delete header.pace
}

function foldItem(before: Item | undefined, count: number, event: Applied<'item'>): Item {
  const item: Item = before ? { ...before } : { id: event.id, index: count, version: 0, status: 'pending' }
  item.version = event.version
  for (const key of ['status', 'label', 'progress', 'message', 'error'] as const) assign(item, key, event[key])
  return item
}

function foldStep(before: Step | undefined, count: number, event: Applied<'step'>): Step {
  const step: Step = before ? { ...before } : { id: event.id, index: count, version: 0, status: 'pending' }
  step.version = event.version
  for (const key of ['status', 'label', 'done', 'total', 'message', 'weight'] as const) assign(step, key, event[key])
  if (step.status !== before?.status) stampStep(step, event.at)
  return step
}

/** Sets the times of a step whose status has changed. A step that is tried again gets a new start. */
function stampStep(step: Step, at: string): void {
  if (step.status === 'pending' || step.status === 'running') {
    delete step.startedAt
    delete step.endedAt
    if (step.status === 'running') step.startedAt = at
  } else step.endedAt = at
}

function foldError(event: Applied<'error'>): ErrorRow {
  const row: ErrorRow = { version: event.version, at: event.at, message: event.message }
  assign(row, 'code', event.code)
  assign(row, 'itemId', event.itemId)
  return row
}

/** Puts rows at their indexes. */
function place<T extends Step | Item>(rows: T[], changed: readonly T[] = []): T[] {
  for (const row of changed) rows[row.index] = row
  return rows
}

/** Appends rows to a window, and drops the oldest over its size. */
function append<T extends ErrorRow | LogRow>(rows: T[], added: readonly T[] = [], window: number): T[] {
  if (added.length > 0) rows.push(...added)
  if (rows.length > window) rows.splice(0, rows.length - window)
  return rows
}

/** Whether a patch applies to a document at `job`: `from` ≤ version < `to`. */
export function patchApplies(job: Pick<JobHeader, 'epoch' | 'version'>, patch: Patch): boolean {
  if (patch.job.epoch !== job.epoch) return patch.from === 0
  return patch.from <= job.version && job.version < patch.to
}

/** The rows that a patch brings and that a document at `version` does not have. */
function newerThan<T extends ErrorRow | LogRow>(version: number, rows: readonly T[] | undefined): T[] | undefined {
  return rows?.filter((row) => row.version > version)
}

/**
 * Merges a patch into `job`'s own arrays, and returns the document with its new header. The caller has checked
 * {@link patchApplies}, and must not use `job` afterwards.
 */
export function mergePatch(job: Job, patch: Patch): Job {
  const fresh = patch.from === 0
  const before = fresh ? { steps: [], items: [], errors: [], logs: [] } : job
  const version = fresh ? 0 : job.version
  return {
    ...mergeHeader(fresh ? {} : job, patch.job),
    steps: place(before.steps, patch.steps),
    items: place(before.items, patch.items),
    errors: append(before.errors, newerThan(version, patch.errors), ERROR_WINDOW),
    logs: append(before.logs, newerThan(version, patch.logs), LOG_WINDOW),
  }
}

/**
 * The document after a patch. Pure: rows that did not change are shared with `job`. A patch that is old
 * (`to` ≤ version) or leaves a gap (`from` > version) returns `job` itself.
 */
export function applyPatch(job: Job, patch: Patch): Job {
  if (!patchApplies(job, patch)) return job
  return mergePatch(
    {
      ...job,
      steps: patch.steps ? job.steps.slice() : job.steps,
      items: patch.items ? job.items.slice() : job.items,
      errors: patch.errors ? job.errors.slice() : job.errors,
      logs: patch.logs ? job.logs.slice() : job.logs,
    },
    patch,
  )
}

/**
 * The document after an event. Pure. An event that is not the next one returns `job` itself: an old one is ignored, one that is ahead
 * needs a patch first.
 */
export function applyEvent(job: Job, event: AppliedEvent): Job {
  if (event.version !== job.version + 1) return job
  const rows = event.type === 'item' ? job.items : event.type === 'step' ? job.steps : undefined
  const row = rows && 'id' in event ? rows.find((candidate) => candidate.id === event.id) : undefined
  return applyPatch(job, foldEvent(job, { row, stepCount: job.steps.length }, event))
}

/**
 * What changed in a document since a version: what {@link applyPatch} needs to bring a watcher from there to here.
 * `result` and `metadata` are always included; an engine that knows when they changed leaves them out.
 */
export function diffSince(job: Job, version: number): Patch {
  const { steps, items, errors, logs, ...header } = job
  const changed = <T extends { version: number }>(rows: T[]) => rows.filter((row) => row.version > version)
  return {
    from: version,
    to: job.version,
    job: { ...header, result: header.result ?? null, metadata: header.metadata ?? null },
    steps: changed(steps),
    items: changed(items),
    errors: changed(errors),
    logs: changed(logs),
  }
}
