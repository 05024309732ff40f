import type { ProblemDocument } from './api.ts'
import type { Receipt } from './batcher.ts'
import type { Job, JobHeader, Patch } from './job.ts'

/**
 * What tells an answer of this server from one of something on the way to it. A proxy whose server is away, or a network that wants a
 * signature first, answers with a page of its own under any status: whoever takes it for the server's word believes that a job is gone.
 */

/** Begins the `type` of each of this server's problems: a URN, for there is no page to be read there (RFC 9457, 3.1.1). */
const PROBLEM_TYPE = 'urn:milepost:'

/** Whether a value is a problem document of this server. */
export function isProblem(value: unknown): value is ProblemDocument {
  const { type, detail } = fieldsOf(value)
  return typeof type === 'string' && type.startsWith(PROBLEM_TYPE) && typeof detail === 'string'
}

/** The problem that a response is, if it is one of this server's. Takes the response's body, or lets go of it. */
export async function readProblem(response: Response): Promise<ProblemDocument | undefined> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) {
    void response.body?.cancel().catch(() => {})
    return undefined
  }
  const problem = await readJson(response)
  return isProblem(problem) ? problem : undefined
}

/** The JSON of a response; `undefined` for a body that is none, or that breaks off. */
export function readJson(response: Response): Promise<unknown> {
  return response.json().catch(() => undefined)
}

/** Whether an answer is a job, whole or its header alone. */
export function isJob(value: unknown): value is Job | JobHeader {
  const { epoch, version, itemCounts } = fieldsOf(value)
  return typeof epoch === 'string' && typeof version === 'number' && typeof itemCounts === 'object'
}

/** Whether an answer is what changed in a job. */
export function isPatch(value: unknown): value is Patch {
  const { from, to, job } = fieldsOf(value)
  return typeof from === 'number' && typeof to === 'number' && isJob(job)
}

/** Whether an answer says that a batch was applied. */
export function isReceipt(value: unknown): value is Receipt {
  const { version, cancelRequested, flushMs } = fieldsOf(value)
  return typeof version === 'number' && typeof cancelRequested === 'boolean' && typeof flushMs === 'number'
}

/** The fields of an object; of what is none, none. */
function fieldsOf(value: unknown): Record<string, unknown> {
  return Object(value) as Record<string, unknown>
}
