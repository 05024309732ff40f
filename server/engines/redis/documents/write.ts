import type { JobHeader } from '../../../../shared/document/job.ts'
import { dueOf } from '../../../jobs/background/due.ts'
import type { Batch, Commit, Due, StoredJob } from '../../../jobs/engine.ts'
import { changeOfStanding, type Standing } from '../../../jobs/kept.ts'
import type { JobRecord } from '../../../jobs/transfer.ts'
import { type PartitionKeys, safeText } from '../keys.ts'
import { aroundHeader, aroundPlace, type ChangeMessage, encodeChange } from '../message.ts'
import type { ScriptCall } from '../scripts/script.ts'
import {
  encodeHead,
  encodeHeader,
  encodeKey,
  encodeMarks,
  type Found,
  isSmall,
  type KnownJob,
  type NamedRow,
} from './known-job.ts'

/** The most that a creator may have in a partition. */
export type Allowed = Partial<Standing>

const JSON_OF_NOTHING = ''

/** The call that commits a batch. */
export function commitCall(
  keys: PartitionKeys,
  { state, used }: Found,
  commit: Commit,
  rows: readonly NamedRow[],
  batch: Batch,
  more: { stamp: string; message: ChangeMessage; names: readonly string[]; allowed: Allowed },
): ScriptCall {
  const { id, owner, version, createdBy } = commit.header
  const header = encodeHeader(commit.header)
  const message = isSmall(commit.header) ? aroundHeader(more.message, header.length) : [encodeChange(more.message), '']
  const { live, blocks } = changeOfStanding(state.job, commit)
  const fields = payloadFields(state.job, commit)
  if (state.job.header.status !== commit.header.status) fields.push('st', commit.header.status)
  const indexes = new IndexChanges(6)
  indexes.change(keys, state.place, state.job, commit)
  const unknown = more.names.filter((name) => state.rows.get(name) === undefined)
  const named = rows.flatMap(({ name, row, json }) => [name, `${row.version}`, json])
  return {
    keys: [...jobKeys(keys, id), keys.creator(createdBy), ...indexes.keys],
    args: [
      state.stamp,
      more.stamp,
      header,
      encodeMarks(commit.marks, state.commits + 1),
      `${version}`,
      ...message,
      batch.key ? safeText(batch.key.key) : '',
      used ?? '',
      batch.key ? encodeKey(batch.key.digest, Date.parse(batch.at)) : '',
      `${live}`,
      `${blocks}`,
      most(more.allowed.blocks),
      `${fields.length / 2}`,
      `${rows.length}`,
      `${unknown.length}`,
      `${indexes.count}`,
      `${more.names.length}`,
      ...fields,
      ...named,
      ...unknown,
      ...indexes.args,
      ...more.names,
      ...keys.channels(id, owner),
    ],
  }
}

/** The call that creates a job. */
export function createCall(
  keys: PartitionKeys,
  job: StoredJob,
  more: { stamp: string; message: string; allowed: Allowed },
): ScriptCall {
  const { id, owner, createdBy } = job.header
  const { live, blocks } = changeOfStanding(undefined, job)
  const indexes = new IndexChanges(3)
  indexes.change(keys, undefined, undefined, job)
  const fields = allFields(job, more.stamp, 1)
  return {
    keys: [keys.job(id), keys.creator(createdBy), keys.newest, ...indexes.keys],
    args: [
      ...aroundPlace(more.message),
      `${live}`,
      `${blocks}`,
      most(more.allowed.live),
      most(more.allowed.jobs),
      most(more.allowed.blocks),
      `${fields.length / 2}`,
      `${indexes.count}`,
      ...fields,
      ...indexes.args,
      ...keys.channels(id, owner),
    ],
  }
}

/** The call that writes a job of another store, whose rows are put aside. @param before the job that it replaces */
export function restoreCall(
  keys: PartitionKeys,
  before: KnownJob | undefined,
  { header, marks, place, rows, keys: used }: JobRecord,
  stamp: string,
): ScriptCall {
  const { id, createdBy } = header
  const job: StoredJob = { header, marks }
  const at = before?.place ?? place
  // What it replaces may be of another owner, kind and creator.
  const [left, entered] = [changeOfStanding(before?.job, undefined), changeOfStanding(undefined, job)]
  const indexes = new IndexChanges(10)
  if (before) indexes.change(keys, at, before.job, undefined)
  indexes.change(keys, at, undefined, job)
  const creators = [before?.job.header.createdBy ?? createdBy, createdBy].map((sub) => keys.creator(sub))
  const fields = allFields(job, stamp, (before?.commits ?? 0) + 1)
  return {
    keys: [...jobKeys(keys, id), ...keys.staged(id), ...creators, keys.newest, ...indexes.keys],
    args: [
      ...[before?.stamp ?? '', `${at}`, `${rows.length}`],
      ...[left, entered].flatMap(({ live, jobs, blocks }) => [`${live}`, `${jobs}`, `${blocks}`]),
      ...[`${fields.length / 2}`, `${used.length}`, `${indexes.count}`],
      ...fields,
      ...used.flatMap(({ key, digest, at: usedAt }) => [safeText(key), encodeKey(digest, usedAt)]),
      ...indexes.args,
    ],
  }
}

/** The call that removes a job. */
export function removeCall(keys: PartitionKeys, { stamp, place, job }: KnownJob, message: string): ScriptCall {
  const { id, owner, createdBy } = job.header
  const { live, blocks } = changeOfStanding(job, undefined)
  const indexes = new IndexChanges(6)
  indexes.change(keys, place, job, undefined)
  return {
    keys: [...jobKeys(keys, id), keys.creator(createdBy), ...indexes.keys],
    args: [stamp, message, `${live}`, `${blocks}`, `${indexes.count}`, ...indexes.args, ...keys.channels(id, owner)],
  }
}

/** The keys of a job's own values: head, rows, their versions, idempotency keys. */
const jobKeys = (keys: PartitionKeys, id: string) => [
  keys.job(id),
  keys.rows(id),
  keys.versions(id),
  keys.used(id),
  keys.usedOrder(id),
]

/** All fields of a job's head, with their values in turn. */
function allFields(job: StoredJob, stamp: string, commits: number): string[] {
  const { epoch, version, status, kind, createdBy, parentId } = job.header
  return [
    ...['s', stamp, 'h', encodeHead(job, commits), 'e', epoch, 'v', `${version}`],
    ...['st', status, 'k', safeText(kind), 'b', safeText(createdBy)],
    ...(parentId === undefined ? [] : ['p', safeText(parentId)]),
    ...payloadFields(undefined, job),
  ]
}

const most = (value: number | undefined) => (value === undefined ? '' : `${value}`)

/** `result` and `metadata`, where they changed. */
function payloadFields(before: StoredJob | undefined, { header, marks }: StoredJob): string[] {
  const encode = (value: unknown) => (value === undefined ? JSON_OF_NOTHING : JSON.stringify(value))
  const fields: string[] = []
  if (before?.marks.resultVersion !== marks.resultVersion) fields.push('r', encode(header.result))
  if (before?.marks.metadataVersion !== marks.metadataVersion) fields.push('m', encode(header.metadata))
  return fields
}

/** Changes of the indexes, as arguments of a script, and the keys that they name. */
class IndexChanges {
  readonly keys: string[] = []
  readonly args: string[] = []
  count = 0
  readonly #keysBefore: number

  /** @param keysBefore keys of the script before those of the indexes */
  constructor(keysBefore: number) {
    this.#keysBefore = keysBefore
  }

  /** @param place in the order of creation; `undefined` for a new job, whose place the script knows */
  change(
    keys: PartitionKeys,
    place: number | undefined,
    before: StoredJob | undefined,
    after: StoredJob | undefined,
  ): void {
    const header = (after ?? before)?.header
    if (!header) return
    if (before?.header.status !== after?.header.status)
      this.#lists(keys, header.id, place, before?.header, after?.header)
    this.#figures(keys, header, before, after)
    const [was, is] = [before && dueOf(before), after && dueOf(after)]
    if (was?.list === is?.list && was?.at === is?.at) return
    if (was && was.list !== is?.list) this.#remove(keys.due(was.list), header.id)
    if (is) this.#add(keys.due(is.list), scoreOf(is), header.id)
  }

  #lists(
    keys: PartitionKeys,
    id: string,
    place: number | undefined,
    before: JobHeader | undefined,
    after: JobHeader | undefined,
  ): void {
    const [left, entered] = [before ? keys.lists(before) : [], after ? keys.lists(after) : []]
    for (const key of left) if (!entered.includes(key)) this.#remove(key, id)
    for (const key of entered) if (!left.includes(key)) this.#add(key, place === undefined ? '' : `${place}`, id)
  }

  /** The kinds and creators of which there are jobs, and the size of the creator's documents. */
  #figures(keys: PartitionKeys, header: JobHeader, before: StoredJob | undefined, after: StoredJob | undefined): void {
    const [kind, createdBy] = [safeText(header.kind), safeText(header.createdBy)]
    const { jobs, blocks } = changeOfStanding(before, after)
    if (blocks !== 0) this.#push('*', keys.creators, `${blocks}`, createdBy)
    if (jobs > 0) this.#add(keys.kinds, '0', kind)
    if (jobs < 0) {
      this.#removeUnless(keys.list(undefined, 'kind', kind), keys.kinds, kind)
      this.#removeUnless(keys.creator(header.createdBy), keys.creators, createdBy)
    }
  }

  #add(key: string, score: string, member: string): void {
    this.#push('+', key, score, member)
  }

  /** Removes a member once there is no key of another name. */
  #removeUnless(other: string, key: string, member: string): void {
    this.keys.push(other)
    this.#push('?', key, `${this.#keysBefore + this.keys.length}`, member)
  }

  #remove(key: string, id: string): void {
    this.#push('-', key, '', id)
  }

  #push(sign: '+' | '*' | '-' | '?', key: string, value: string, member: string): void {
    this.keys.push(key)
    this.args.push(sign, `${this.#keysBefore + this.keys.length}`, value, member)
    this.count += 1
  }
}

const scoreOf = ({ at }: Due) => `${at}`
