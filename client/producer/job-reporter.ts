import type { AnswerValue } from '../../shared/document/ask-schema.ts'
import type { EventFields } from '../../shared/document/events.ts'
import type { CreateJob } from '../../shared/wire/api.ts'

/** What to ask: see the event `ask`. */
export type NewAsk = Omit<EventFields<'ask'>, 'id'> & { id?: string }

/** What became of an ask: what was answered and by whom; or that nobody did in time, or before the job ended. */
export type Answered = { value: AnswerValue; by: string } | { expired: true } | { ended: true }

/** A job to be created: what `POST /api/jobs` takes. */
export type NewJob = CreateJob

/**
 * Reports on one job. Every method is synchronous, cheap, and never throws, whatever happens to the server.
 */
export interface JobReporter {
  readonly id: string
  progress(fields: EventFields<'progress'>): void
  status(fields: EventFields<'status'>): void
  item(fields: EventFields<'item'>): void
  step(fields: EventFields<'step'>): void
  /**
   * Goes through rows, and reports how many are done: a row is when the next is asked for. `total` is the number of rows, if they have a
   * `length` or `size`.
   */
  track<T>(rows: Iterable<T>, fields?: Partial<EventFields<'progress'>>): Generator<T, void, undefined>
  /**
   * Reports that this try has failed and that another follows, here or elsewhere: the job is `pending`, and its `attempt` rises by one, or to the
   * number that is given. What ended the try, if given, is reported as an error. The next try begins with the status `running`; until
   * then the reporter hears nothing of watchers.
   */
  retry(error?: unknown, fields?: Pick<EventFields<'status'>, 'message' | 'attempt'>): void
  /** Creates a child of this job: of the same kind and owner, unless the fields say otherwise. */
  fork(title: string, fields?: Partial<NewJob>): JobReporter
  /**
   * Asks the owner of the job, who answers on its page: yes or no without a schema. Resolves with the answer, or with `expired` when the time for
   * it is over. An id that was answered before, by an earlier try of this work, resolves with that answer. Keeps the process alive. Never
   * rejects: without an answer it resolves with `ended` when the job ends, is cancelled, or takes no more events.
   *
   * @param fields.id left out: one is made
   */
  ask(fields: NewAsk): Promise<Answered>
  error(fields: EventFields<'error'>): void
  log(fields: EventFields<'log'>): void
  /** Whether a watcher has cancelled or paused the job, as far as the reporter has heard: at once with a WebSocket, else from the last batch. */
  readonly cancelRequested: boolean
  readonly pauseRequested: boolean
  /** Aborts when the reporter hears that a watcher has cancelled the job. */
  readonly signal: AbortSignal
  /**
   * Resolves at once, or, while a watcher wants a pause, when they resume or cancel the job; it is `paused` until then. Keeps the process alive.
   * Never rejects.
   */
  pausePoint(): Promise<void>
  /** Events dropped because the queue was full or the server refused them. */
  readonly dropped: number
  /** Sends queued events. Resolves once the server has them or the try has failed; never rejects. */
  flush(): Promise<void>
  /** Sends queued events, retrying for five seconds at most, and releases everything. Never rejects. */
  close(): Promise<void>
}
