import type { Job, JobHeader, Patch } from '../document/job.ts'
import type { ProblemDocument, Receipt } from './api.ts'

/**
 * Tells answers of this server from those of proxies and captive portals, which answer with a page of their own under any status. A client
 * that believed a proxy's 404 would take the job for deleted.
 */

/** The prefix of the `type` of this server's problems. A URN, because it leads to no page (RFC 9457, 3.1.1). */
const PROBLEM_TYPE = 'urn:milepost:'

/** Whether a value is a problem document of this server. */
export function isProblem(value: unknown): value is ProblemDocument {
  const { type, detail } = fieldsOf(value)
  return typeof type === 'string' && type.startsWith(PROBLEM_TYPE) && typeof detail === 'string'
}

/**
 * The problem document of a response, if it is this server's. Consumes or cancels the body.
 *
 * A problem after a redirect counts as none: it is about the address that the redirect led to.
 */
export async function readProblem(response: Response): Promise<ProblemDocument | undefined> {
  if (response.redirected || !response.headers.get('content-type')?.startsWith('application/problem+json')) {
    void response.body?.cancel().catch(() => {})
    return undefined
  }
  const problem = await readJson(response)
  return isProblem(problem) ? problem : undefined
}

/** The JSON of a response; `undefined` for a body that is not JSON or is cut short. */
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

/** The fields of an object; none of any other value. */
function fieldsOf(value: unknown): Record<string, unknown> {
  return Object(value) as Record<string, unknown>
}
