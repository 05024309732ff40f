import type { Context } from 'hono'
import type { Limits } from '../../../shared/document/limits.ts'
import type { Receipt } from '../../../shared/wire/api.ts'
import { fullName, type Principal } from '../../auth/access.ts'
import { type Problem, ProblemError, problems } from '../../errors.ts'
import { recordRefusal } from '../audit.ts'
import type { JobBatch } from '../body/event-parser.ts'
import type { Env, RouteContext } from '../request/context.ts'
import { problemText } from '../request/responses.ts'

/** The body of a request for several jobs may be so many times as long as that of one batch. */
export const BATCHES_IN_BODY = 4

/** Most batches that are published at once: what follows a commit is done for all of them in one step of the event loop. */
const AT_ONCE = 256

/**
 * Publishes batches of several jobs, each applied or refused by itself; those of one job in order.
 *
 * At most {@link AT_ONCE} are published at once, with no more events than one batch may have: more would hold up others.
 *
 * @param batches in place of one that is invalid, its refusal
 * @returns the answer to each
 */
export async function publishEach(
  {
    digestOf,
    jobs,
    limits,
    metrics,
    onError,
    turns,
  }: Pick<RouteContext, 'digestOf' | 'jobs' | 'limits' | 'metrics' | 'onError' | 'turns'>,
  principal: Principal,
  batches: readonly (JobBatch | ProblemError)[],
): Promise<(Receipt | Problem)[]> {
  const inTurn = <T>(work: () => T) => (turns ? turns.run(fullName(principal), work) : work())
  const publish = async ({ job, epoch, events, key, length }: JobBatch) => {
    const known = key === undefined ? undefined : { key, digest: await inTurn(() => digestOf(events)) }
    return inTurn(() => jobs.publish(principal, job, events, known, epoch, length))
  }
  const answerTo = async (batch: JobBatch | ProblemError): Promise<Receipt | Problem> => {
    try {
      if (batch instanceof ProblemError) throw batch
      return await publish(batch)
    } catch (error) {
      if (!(error instanceof ProblemError)) onError(error)
      const problem = error instanceof ProblemError ? error.problem : problems.internal()
      metrics.countRefusal(problem)
      return problem
    }
  }
  const answers: (Receipt | Problem)[] = []
  for (const group of groupsOf(batches, limits)) answers.push(...(await Promise.all(group.map(answerTo))))
  return answers
}

/** The answers as a response. The first refusal for want of rights is recorded. */
export function answerEach(
  c: Context<Env>,
  context: Pick<RouteContext, 'audit' | 'front'>,
  answers: readonly (Receipt | Problem)[],
): Response {
  const refused = answers.find((answer): answer is Problem => 'detail' in answer && [401, 403].includes(answer.status))
  if (refused) recordRefusal(c, context, refused)
  const texts = answers.map((answer) => ('detail' in answer ? problemText(answer) : JSON.stringify(answer)))
  return c.body(`[${texts}]`, 200, { 'content-type': 'application/json' })
}

/** Groups of batches that are published at once: of different jobs, and together no more than one batch may have. */
function* groupsOf(
  batches: readonly (JobBatch | ProblemError)[],
  { batchEvents, bodyBytes }: Limits,
): Generator<(JobBatch | ProblemError)[]> {
  let group: (JobBatch | ProblemError)[] = []
  let jobs = new Set<string>()
  let sum = { events: 0, length: 0 }
  for (const batch of batches) {
    if (!(batch instanceof ProblemError)) {
      const { job, events, length } = batch
      const isFull = sum.events + events.length > batchEvents || sum.length + length > bodyBytes
      if (jobs.has(job) || jobs.size === AT_ONCE || (isFull && jobs.size > 0)) {
        yield group
        group = []
        jobs = new Set()
        sum = { events: 0, length: 0 }
      }
      jobs.add(job)
      sum = { events: sum.events + events.length, length: sum.length + length }
    }
    group.push(batch)
  }
  yield group
}
