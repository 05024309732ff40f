import { isJob, isPatch } from '../../../shared/wire/answers.ts'
import type { ManyJobs } from '../../../shared/wire/messages.ts'
import type { WholeDocument } from '../../connection/jobs/follow-header.ts'
import { type JobMessage, JobReplica } from '../../connection/jobs/job-replica.ts'
import { MESSAGE_NAMES } from '../../connection/message-names.ts'

/** Follows a whole document. */
export class JobDocument implements WholeDocument {
  readonly messages = MESSAGE_NAMES
  readonly #replica = new JobReplica()

  get job() {
    return this.#replica.job
  }

  get cursor() {
    return this.#replica.cursor
  }

  kindOf(answer: unknown) {
    return isPatch(answer) ? 'patch' : isJob(answer) ? 'snapshot' : undefined
  }

  fold(name: string, data: unknown) {
    if (name === 'ping') return {}
    const { jobId, cursor, ...message } = data as ManyJobs
    return this.#replica.receive({ event: name, data: message } as unknown as JobMessage)
  }
}
