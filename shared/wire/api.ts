import { z } from 'zod'
import { answerValueSchema } from '../document/ask-schema.ts'
import { createFieldSchemas } from '../document/events.ts'
import { anyJobIdSchema, jobHeaderSchema, jobIdSchema, jobStatusSchema } from '../document/job.ts'
import type { Limits } from '../document/limits.ts'
import { tenantSchema } from '../document/tenant.ts'
import { notifySchema } from './webhooks.ts'

/** The schemas of requests, under the given limits. */
export function createRequestSchemas(limits: Limits) {
  const { name, message, metadata } = createFieldSchemas(limits)
  /** Ten years: a longer time is a mistake of units. */
  const seconds = z.number().positive().max(315_360_000)
  const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
  return {
    createJob: z
      .strictObject({
        id: jobIdSchema.optional(),
        kind: name,
        title: name,
        owner: name.optional(),
        parentId: jobIdSchema.optional(),
        /** The ended job of the same owner whose work is done again. */
        retryOf: jobIdSchema.optional(),
        metadata: metadata.optional(),
        heartbeatSeconds: seconds.optional(),
        timeoutSeconds: seconds.optional(),
        /** URLs that are told by a webhook when the job ends or asks. */
        notify: notifySchema.optional(),
      })
      .meta({ id: 'CreateJob' }),
    answer: z
      .strictObject({
        value: answerValueSchema,
        /** The message of the ask that was read: if the job asks something else by now, the answer is refused. */
        message: message.optional(),
      })
      .meta({ id: 'Answer' }),
    createToken: z
      .strictObject({
        can: z.enum(['watch', 'publish']).default('watch'),
        /** A watch token that shows the header only: no steps, items, errors and logs. */
        parts: z.literal('header').optional(),
        seconds: z.int().positive().max(MAX_TOKEN_SECONDS).default(3_600),
      })
      .refine(({ can, parts }) => can === 'watch' || parts === undefined, {
        path: ['parts'],
        error: 'is for watch tokens alone',
      })
      .meta({ id: 'CreateToken' }),
    createSignInLink: z
      .strictObject({
        sub: name,
        /** Its tenant; omitted: that of the principal who makes the link. */
        tenant: tenantSchema.optional(),
        /** The job whose page the browser is sent to. */
        job: anyJobIdSchema.optional(),
        /** Whether the session is an administrator's, who sees everyone's jobs. */
        admin: z.boolean().default(false),
      })
      .meta({ id: 'CreateSignInLink' }),
    jobEvents: z.strictObject({
      job: z.string(),
      /** The life of the job that the events are for. */
      epoch: z
        .string()
        .regex(/^[a-z0-9]{1,32}$/, 'must be the epoch of a job')
        .optional(),
      /** Each is validated by itself. */
      events: z.array(z.unknown()),
      key: idempotencyKey.optional(),
    }),
    idempotencyKey,
  }
}

/** The longest that a watch or publish token lives: 30 days, in seconds. */
const MAX_TOKEN_SECONDS = 2_592_000

/** What `POST /api/jobs` takes. Times are in seconds. */
export type CreateJob = z.infer<ReturnType<typeof createRequestSchemas>['createJob']>
/** What `POST /api/jobs/:id/tokens` takes. */
export type CreateToken = z.infer<ReturnType<typeof createRequestSchemas>['createToken']>
/** A batch of one job, of those that `POST /api/events` takes. */
export type JobEvents = z.infer<ReturnType<typeof createRequestSchemas>['jobEvents']>
/** What `POST /api/sign-in-links` takes. */
export type CreateSignInLink = z.input<ReturnType<typeof createRequestSchemas>['createSignInLink']>

/** `owner` in a query: a name of 512 characters, with a tenant of 64 before it. */
export const ownerQuerySchema = z.string().min(1).max(578)

/** The query of `GET /api/jobs`. */
export const listQuerySchema = z.strictObject({
  /** Whose jobs: a name, or `*` for everyone's. For `jobs:admin`; others leave it out. */
  owner: ownerQuerySchema.optional(),
  status: jobStatusSchema.optional(),
  kind: z.string().min(1).max(512).optional(),
  parent: anyJobIdSchema.optional(),
  /** Words, each of which is in the title, the kind, the owner or the id of a job. A page may be short, even empty, and have a `nextCursor`. */
  q: z.string().min(1).max(200).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().min(1).max(512).optional(),
})

/** The query of `DELETE /api/jobs`. */
export const removeQuerySchema = z.strictObject({
  status: jobStatusSchema.extract(['completed', 'failed', 'cancelled']).optional(),
  /** ISO 8601, with a time zone. */
  endedBefore: z.iso.datetime({ offset: true }).optional(),
  owner: ownerQuerySchema.optional(),
})
/** Which ended jobs `DELETE /api/jobs` removes: all of one's own, unless it says otherwise. */
export type RemoveQuery = z.infer<typeof removeQuerySchema>

export const jobListSchema = z
  .object({ jobs: z.array(jobHeaderSchema), nextCursor: z.string().optional() })
  .meta({ id: 'JobList' })
/** A page of jobs, newest first. `nextCursor` asks for the next, where there is one. */
export type JobList = z.infer<typeof jobListSchema>

export const receiptSchema = z
  .object({
    version: z.int(),
    cancelRequested: z.boolean(),
    pauseRequested: z.boolean(),
    /** Whether anyone follows the job now. */
    watched: z.boolean(),
    /** How long a producer should gather events before it sends them: milliseconds. */
    flushMs: z.int(),
    /** Asks of the job that were answered or have expired: the last 20, and those that the batch asks again; left out for none. */
    answers: z
      .array(
        z.object({
          ask: z.string(),
          value: answerValueSchema.optional(),
          by: z.string().optional(),
          expired: z.literal(true).optional(),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Receipt' })
/** What the server answers to a batch. */
export type Receipt = z.infer<typeof receiptSchema>

export const tokenSchema = z
  .object({ token: z.string(), expiresAt: z.iso.datetime(), url: z.string() })
  .meta({ id: 'Token' })
/** A watch or publish token. `url` is the job's stream, or where to send its events: absolute where the server knows its address, else a path. */
export type Token = z.infer<typeof tokenSchema>

export const signInLinkSchema = z.object({ url: z.string(), expiresAt: z.iso.datetime() }).meta({ id: 'SignInLink' })
/** A link that signs a person in: once, within ten minutes. `url` is absolute where the server knows its address, else a path. */
export type SignInLink = z.infer<typeof signInLinkSchema>

/** The query of `GET /api/sessions`. */
export const sessionQuerySchema = z.strictObject({
  /** Whose sessions: for `jobs:admin`, who sees everyone's without it. Others leave it out. */
  sub: ownerQuerySchema.optional(),
  cursor: z
    .string()
    .regex(/^([0-9a-f]{16}-){1,2}[0-9a-f]{64}$/, 'must be the nextCursor of the previous page')
    .optional(),
})

export const sessionListSchema = z
  .object({
    sessions: z.array(
      z.object({
        /** Names it in `DELETE /api/sessions/:id`. Not the cookie. */
        id: z.string(),
        sub: z.string(),
        scopes: z.array(z.string()),
        createdAt: z.iso.datetime(),
        expiresAt: z.iso.datetime(),
        /** It is the session of this very request. */
        current: z.boolean(),
        /** The session whose sign-in link made it: it ends with that one. For `jobs:admin`. */
        parent: z.string().optional(),
      }),
    ),
    nextCursor: z.string().optional(),
  })
  .meta({ id: 'SessionList' })
/** A page of the browsers that are signed in. `nextCursor` asks for the next, where there is one. */
export type SessionList = z.infer<typeof sessionListSchema>

/** What an audit records. */
export const auditActions = [
  'sign-in',
  'sign-out',
  'link-created',
  'token-created',
  'tokens-revoked',
  'session-revoked',
  'webhook-resent',
  'ask-answered',
  'job-deleted',
  'jobs-deleted',
  /** A 403. */
  'refused',
  /** A 401 in spite of a token or cookie, or an attempt to sign in that failed. */
  'credentials-refused',
] as const
export type AuditAction = (typeof auditActions)[number]

/** The query of `GET /api/audit`. */
export const auditQuerySchema = z.strictObject({
  sub: ownerQuerySchema.optional(),
  action: z.enum(auditActions).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z
    .string()
    .regex(/^[0-9a-f]{12}-[0-9a-v]{8}$/, 'must be the nextCursor of the previous page')
    .optional(),
})
/** The records that are asked for. */
export type AuditQuery = z.infer<typeof auditQuerySchema>

const auditRecordSchema = z.object({
  at: z.iso.datetime(),
  action: z.enum(auditActions),
  /** Who did it. Omitted: not known. */
  sub: z.string().optional(),
  /** Address of the client, behind trusted proxies too. */
  address: z.string().optional(),
  /** The `X-Request-Id` of the response. */
  requestId: z.string().optional(),
  /** How they signed in. */
  by: z.enum(['link', 'provider', 'token']).optional(),
  /** Who a link signs in, whose session ended, or whose jobs were deleted. */
  for: z.string().optional(),
  /** The link is an administrator's. */
  admin: z.literal(true).optional(),
  /** Id of the session that began or ended. Not the cookie. */
  session: z.string().optional(),
  job: z.string().optional(),
  /** What a token allows. */
  can: z.enum(['watch', 'publish']).optional(),
  /** Only ended jobs of this status were deleted. */
  jobStatus: z.string().optional(),
  /** When a link or token expires. */
  expiresAt: z.iso.datetime().optional(),
  /** Of a refusal: the request, with the path of its route, the status, and why. */
  method: z.string().optional(),
  path: z.string().optional(),
  status: z.int().optional(),
  detail: z.string().optional(),
  /** Others of this action and principal since `since` that have no record of their own. */
  unrecorded: z.int().optional(),
  since: z.iso.datetime().optional(),
})
/** Who did what, or was refused what. Nothing secret: no token, cookie or code. */
export type AuditRecord = z.infer<typeof auditRecordSchema>

export const auditListSchema = z
  .object({ records: z.array(auditRecordSchema), nextCursor: z.string().optional() })
  .meta({ id: 'AuditList' })
/** A page of the audit, newest first. With a filter it may be short, even empty, while `nextCursor` asks for the next. */
export type AuditList = z.infer<typeof auditListSchema>

/** The types of problems. Clients believe only these: proxies answer with errors of their own. */
export const problemTypes = [
  'urn:milepost:malformed',
  'urn:milepost:unauthenticated',
  'urn:milepost:forbidden',
  'urn:milepost:not-found',
  'urn:milepost:too-slow',
  'urn:milepost:conflict',
  'urn:milepost:too-large',
  'urn:milepost:unsupported-type',
  'urn:milepost:invalid',
  'urn:milepost:too-many',
  'urn:milepost:internal',
  'urn:milepost:unavailable',
  'urn:milepost:full',
] as const
export type ProblemType = (typeof problemTypes)[number]

export const problemSchema = z
  .object({
    type: z.enum(problemTypes),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
    limit: z.string().optional(),
    /** With which status the job has ended that a request was about. */
    jobStatus: jobStatusSchema.optional(),
    /** What was answered before, and by whom. */
    answered: z.object({ value: answerValueSchema, by: z.string(), at: z.iso.datetime() }).optional(),
  })
  .meta({ id: 'Problem' })
/** Why a request was refused: RFC 9457, with the fields that were wrong. */
export type ProblemDocument = z.infer<typeof problemSchema>
