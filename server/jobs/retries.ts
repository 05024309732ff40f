import type { JobHeader } from '../../shared/document/job.ts'
import { isTerminalStatus } from '../../shared/document/selectors.ts'
import { qualify, unqualify } from '../../shared/document/tenant.ts'
import type { Clock } from '../../shared/time/clock.ts'
import { type Principal, permit } from '../auth/access.ts'
import { ProblemError, problems, refuse } from '../errors.ts'
import { textDigest } from '../support/digest.ts'
import type { Documents, Notes, StoredJob } from './engine.ts'

/** Most retries of one job that are noted and found: the newest. */
const MAX_RETRIES = 20
/** Most notes that are read: concurrent requests may have written too many. */
const MAX_READ = 2 * MAX_RETRIES

interface RetriesContext {
  notes: Notes
  documentsOf: (principal: Principal) => Documents
  clock: Clock
  /** Retention of ended jobs: seconds. */
  retentionSeconds: number
}

/**
 * Which jobs do the work of an ended one again. The new job names the old one (`retryOf`); the way back is a note, because a job that has ended
 * changes no more.
 */
export class Retries {
  readonly #context: RetriesContext

  constructor(context: RetriesContext) {
    this.#context = context
  }

  /**
   * Checks what a new job retries, and notes it.
   *
   * @throws ProblemError 422 unless the old job has ended, is visible to the principal, and has the owner of the new one
   */
  async note(principal: Principal, job: StoredJob, retryOf: string): Promise<void> {
    const documents = this.#context.documentsOf(principal)
    const retried = await documents.read(retryOf)
    const flaw = flawOf(principal, job, retried)
    if (!retried || flaw !== undefined) {
      // The same request may have made the job, while the old one was still there.
      const present = await documents.read(job.header.id)
      if (present?.marks.requestDigest === job.marks.requestDigest) return
      throw refuse(problems.invalid([{ field: 'retryOf', detail: flaw ?? NOT_THERE }]))
    }
    const { clock, notes, retentionSeconds } = this.#context
    const now = clock.now()
    const { expiresAt } = retried.header
    const until = expiresAt === undefined ? now + retentionSeconds * 1_000 : Date.parse(expiresAt)
    const id = qualify(principal.tenant, job.header.id)
    const key = `${await placeOf(principal, retryOf)}${await textDigest(id)}`
    await this.#makeRoom(principal, retryOf, key)
    await notes.put({ key, text: id }, until, now)
  }

  /** The retries of a job that the principal may see: the newest first. */
  async of(principal: Principal, id: string): Promise<JobHeader[]> {
    return (await this.#noted(principal, id))
      .map(({ job }) => job)
      .filter((job) => job !== undefined)
      .filter((job) => maySee(principal, job))
      .map(({ header }) => header)
      .slice(0, MAX_RETRIES)
  }

  /** Removes notes for one more: of jobs that are gone, then of the oldest. Otherwise who creates and deletes jobs would fill the store. */
  async #makeRoom(principal: Principal, id: string, key: string): Promise<void> {
    const others = (await this.#noted(principal, id)).filter((note) => note.key !== key)
    for (const note of others.slice(MAX_RETRIES - 1)) await this.#context.notes.take(note.key)
  }

  /** The notes of a job's retries with these: the newest first, and last those without one. */
  async #noted(principal: Principal, id: string): Promise<{ key: string; job: StoredJob | undefined }[]> {
    const documents = this.#context.documentsOf(principal)
    const found = await this.#context.notes.list({ prefix: await placeOf(principal, id), limit: MAX_READ })
    const isIn = principal.tenant !== undefined
    const noted = await Promise.all(
      found.map(async ({ key, text }) => {
        const job = await documents.read(isIn ? unqualify(text).name : text)
        // A refused request may have named another job.
        return { key, job: job?.header.retryOf === id ? job : undefined }
      }),
    )
    const createdAt = ({ job }: (typeof noted)[number]) => (job ? Date.parse(job.header.createdAt) : 0)
    return noted.sort((a, b) => createdAt(b) - createdAt(a))
  }
}

const NOT_THERE = 'must be an ended job of the same owner that you may see'

function flawOf(principal: Principal, { header }: StoredJob, retried: StoredJob | undefined): string | undefined {
  if (!retried || !maySee(principal, retried) || retried.header.owner !== header.owner) return NOT_THERE
  const { status } = retried.header
  return isTerminalStatus(status) ? undefined : `is ${status}: only an ended job can be done again as a new one`
}

function maySee(principal: Principal, job: StoredJob): boolean {
  try {
    permit(principal, job, 'read')
    return true
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}

/** The notes of a job's retries. */
const placeOf = async ({ tenant }: Principal, id: string) => `retries/${await textDigest(qualify(tenant, id))}/`
