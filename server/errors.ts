import type { z } from 'zod'
import type { Ask } from '../shared/document/ask-schema.ts'
import type { JobStatus } from '../shared/document/job.ts'
import type { Limits } from '../shared/document/limits.ts'
import type { ProblemType } from '../shared/wire/api.ts'

/** An error in one field of a request. */
export interface FieldError {
  /** Name of the field: `done`, `3.status`, `Idempotency-Key`. */
  field: string
  detail: string
}

/** A problem document (RFC 9457). The same problem has the same bytes for every client. */
export interface Problem {
  type: ProblemType
  status: 400 | 401 | 403 | 404 | 408 | 409 | 413 | 415 | 422 | 429 | 500 | 503 | 507
  title: string
  /** What is wrong and what to do, in a sentence or two. */
  detail: string
  errors?: FieldError[]
  /** The limit that was exceeded. */
  limit?: LimitName
  /** With which status the job has ended. */
  jobStatus?: JobStatus
  /** What was answered to an ask before. */
  answered?: Required<Ask>['answer']
}

/** Limits that a 429 may name: settings, and two fixed ones. */
export type LimitName = keyof Limits | 'largeReads' | 'removals'

/** A refusal of a request, thrown by handlers. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  /** Additional response headers, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>

  constructor(problem: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(problem.detail)
    this.problem = problem
    this.headers = headers
  }
}

const fields = (errors: FieldError[] | undefined) => (errors && errors.length > 0 ? { errors } : {})

/** Creates problem documents. */
export const problems = {
  malformed: (detail: string, errors?: FieldError[]): Problem => ({
    type: 'urn:milepost:malformed',
    status: 400,
    title: 'Malformed request',
    detail,
    ...fields(errors),
  }),
  unauthenticated: (detail = 'Send a valid token as "Authorization: Bearer …", or sign in.'): Problem => ({
    type: 'urn:milepost:unauthenticated',
    status: 401,
    title: 'Not signed in',
    detail,
  }),
  /** For a watch or publish token that has expired or was revoked. */
  tokenEnded: (): Problem => problems.unauthenticated('The token is invalid, expired or revoked. Get a new one.'),
  forbidden: (detail: string, errors?: FieldError[]): Problem => ({
    type: 'urn:milepost:forbidden',
    status: 403,
    title: 'Not allowed',
    detail,
    ...fields(errors),
  }),
  /** For a missing job and for one without access alike: the response must not reveal which. */
  notFound: (): Problem => ({
    type: 'urn:milepost:not-found',
    status: 404,
    title: 'Not found',
    detail: "This job does not exist, or it isn't yours.",
  }),
  /** For an unknown path. */
  nothingHere: (): Problem => ({
    type: 'urn:milepost:not-found',
    status: 404,
    title: 'Not found',
    detail: 'There is nothing at this address.',
  }),
  tooSlow: (): Problem => ({
    type: 'urn:milepost:too-slow',
    status: 408,
    title: 'Too slow',
    detail:
      'The body came too slowly: nothing for 10 seconds, or less than 16 KiB a second on average. Send it again on a new connection, without pauses.',
    errors: [{ field: 'body', detail: 'came too slowly' }],
  }),
  conflict: (detail: string, errors?: FieldError[]): Problem => ({
    type: 'urn:milepost:conflict',
    status: 409,
    title: 'Conflict',
    detail,
    ...fields(errors),
  }),
  /** For a job that takes no more events. */
  ended: (jobStatus: JobStatus, detail: string, errors?: FieldError[]): Problem => ({
    ...problems.conflict(detail, errors),
    jobStatus,
  }),
  /** For a job that has no ask of this id. */
  noSuchAsk: (): Problem => ({ ...problems.notFound(), detail: 'This job asks nothing under this id.' }),
  tooLarge: (detail: string, errors?: FieldError[]): Problem => ({
    type: 'urn:milepost:too-large',
    status: 413,
    title: 'Too large',
    detail,
    ...fields(errors),
  }),
  unsupportedType: (field: 'Content-Type' | 'Content-Encoding', detail: string): Problem => ({
    type: 'urn:milepost:unsupported-type',
    status: 415,
    title: 'Unsupported content type',
    detail,
    errors: [{ field, detail }],
  }),
  invalid: (errors: FieldError[]): Problem => ({
    type: 'urn:milepost:invalid',
    status: 422,
    title: 'Invalid request',
    detail: errors.map(({ field, detail }) => (field ? `${field}: ${detail}` : detail)).join('; '),
    errors,
  }),
  tooMany: (limit: LimitName, detail: string): Problem => ({
    type: 'urn:milepost:too-many',
    status: 429,
    title: 'Too many',
    detail,
    limit,
  }),
  internal: (): Problem => ({
    type: 'urn:milepost:internal',
    status: 500,
    title: 'Server error',
    detail: 'The server failed on this request and acknowledged nothing. Try again.',
  }),
  /** The outcome of the request is unknown: a failed commit may still be on the disk. */
  unavailable: (
    detail = 'The store failed, and the outcome is unknown. Send the request again, with the same Idempotency-Key if it had one.',
  ): Problem => ({
    type: 'urn:milepost:unavailable',
    status: 503,
    title: 'Unavailable',
    detail,
  }),
  full: (): Problem => ({
    type: 'urn:milepost:full',
    status: 507,
    title: 'Disk full',
    detail:
      'The disk of the server is full, and nothing of the request was applied. Delete jobs, or free 16 MiB of the disk, then send it again.',
  }),
}

/** Creates a `ProblemError` to throw. */
export function refuse(problem: Problem, headers?: Readonly<Record<string, string>>): ProblemError {
  return new ProblemError(problem, headers)
}

/** Most wrong fields named in a response: a request can have a hundred thousand. */
export const ERRORS_NAMED = 20

/** Converts the first issues of a schema to field errors, with their paths below `prefix`. */
export function fieldErrors(error: z.core.$ZodError, prefix = ''): FieldError[] {
  const errors = error.issues.slice(0, ERRORS_NAMED).flatMap((issue) => {
    const path = [prefix, ...issue.path.map(String)].filter((part) => part !== '')
    if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.') || 'body', detail: issue.message }]
    return (
      issue.keys
        .slice(0, ERRORS_NAMED)
        // A JSON key may be empty.
        .map((key) => ({ field: [...path, key || '""'].join('.'), detail: 'is not a known field' }))
    )
  })
  return errors.slice(0, ERRORS_NAMED)
}
