import { z } from 'zod'
import { askRowSchema } from './ask-schema.ts'
import { unqualify } from './tenant.ts'

const JOB_ID = /^[A-Za-z0-9._~-]{1,128}$/
/** HTTP clients resolve path segments of dots (RFC 3986, 5.2.4): such a job would be unreachable. */
const DOTS = /^\.{1,2}$/

/** Whether a job can have this id. */
export const isJobId = (id: string): boolean => JOB_ID.test(id) && !DOTS.test(id)

/** Whether a job can have this id, or is in a tenant and has it there: `acme::export-7`. Principals without a tenant know it by that. */
export const isAnyJobId = (id: string): boolean => isJobId(unqualify(id).name)

/** A job's id, as its creator may choose it. */
export const jobIdSchema = z
  .string()
  .regex(JOB_ID, 'must be 1 to 128 characters of A–Z a–z 0–9 . _ ~ -')
  .refine((id) => !DOTS.test(id), 'must not be . or ..')

/** A job's id, qualified by its tenant where all tenants' jobs are known. */
export const anyJobIdSchema = z
  .string()
  .regex(/^(?:[A-Za-z0-9._~-]{1,64}::)?[A-Za-z0-9._~-]{1,128}$/, 'is not a job id')
  .refine((id) => !DOTS.test(unqualify(id).name), 'must not be . or ..')

export const jobStatuses = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const
export const jobStatusSchema = z.enum(jobStatuses)
/** The last three are terminal: no event follows them. */
export type JobStatus = z.infer<typeof jobStatusSchema>

export const itemStatuses = ['pending', 'running', 'succeeded', 'failed', 'skipped'] as const
export const itemStatusSchema = z.enum(itemStatuses)
/** The status of an item or a step. */
export type ItemStatus = z.infer<typeof itemStatusSchema>

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export const logLevelSchema = z.enum(logLevels)
/** The level of a log line. */
export type LogLevel = z.infer<typeof logLevelSchema>

/** A moment: ISO 8601, UTC, milliseconds. */
const instant = z.iso.datetime()
const count = z.int().nonnegative()

const progressSchema = z.object({
  done: z.number().nonnegative(),
  /** Unknown until a producer says it. */
  total: z.number().nonnegative().optional(),
  succeeded: z.number().nonnegative().optional(),
  failed: z.number().nonnegative().optional(),
  /** What is counted: `files`, `bytes`, `records`. */
  unit: z.string().optional(),
  message: z.string().optional(),
})
/** How much of a job is done, in units of its producer. */
export type Progress = z.infer<typeof progressSchema>

const paceSchema = z.object({
  /** Milliseconds since the epoch; later by the time that the job has been at rest since. */
  since: z.number(),
  /** Oldest first: milliseconds of work from `since` on, what was done then, and by how much the total had grown, if it had. */
  samples: z.array(z.array(z.number()).min(2).max(3)),
})
/** How the amount of work has grown: a few samples, each about twice as old as the next. */
export type JobPace = z.infer<typeof paceSchema>

const itemCountsSchema = z.object({
  pending: count,
  running: count,
  succeeded: count,
  failed: count,
  skipped: count,
})
/** How many items stand in each status. */
export type ItemCounts = z.infer<typeof itemCountsSchema>

const stepSchema = z.object({
  id: z.string(),
  index: count,
  version: count,
  status: itemStatusSchema,
  label: z.string().optional(),
  done: z.number().nonnegative().optional(),
  total: z.number().nonnegative().optional(),
  message: z.string().optional(),
  /** Share of the work, relative to the other steps. */
  weight: z.number().nonnegative().optional(),
  startedAt: instant.optional(),
  endedAt: instant.optional(),
})
/** One stage of a job. `index` is its place, `version` the event that last changed it. */
export type Step = z.infer<typeof stepSchema>

const itemSchema = z.object({
  id: z.string(),
  index: count,
  version: count,
  status: itemStatusSchema,
  label: z.string().optional(),
  /** Percent, 0 to 100. */
  progress: z.number().min(0).max(100).optional(),
  message: z.string().optional(),
  error: z.string().optional(),
})
/** One unit of a job's work. `index` is its place, `version` the event that last changed it. */
export type Item = z.infer<typeof itemSchema>

const errorRowSchema = z.object({
  version: count,
  at: instant,
  message: z.string(),
  code: z.string().optional(),
  itemId: z.string().optional(),
})
/** Something that went wrong without ending the job. */
export type ErrorRow = z.infer<typeof errorRowSchema>

const logRowSchema = z.object({
  version: count,
  at: instant,
  level: logLevelSchema,
  message: z.string(),
})
/** A line of a job's log. */
export type LogRow = z.infer<typeof logRowSchema>

export const jobHeaderSchema = z
  .object({
    id: anyJobIdSchema,
    /** Which life of the job: an id deleted and made again gets another. */
    epoch: z.string().regex(/^[a-z0-9]+$/),
    /** Events applied so far; the creation is event 1. */
    version: count,
    /**
     * The run of the server that applied the newest event; left out for the run that created the job. A server restored from a backup gives
     * versions to other events: only epoch, generation and version together name one history.
     */
    generation: z
      .string()
      .regex(/^[a-z0-9]+$/)
      .optional(),
    kind: z.string(),
    title: z.string(),
    /** Whose job it is. */
    owner: z.string(),
    /** Who created it and reports on it. */
    createdBy: z.string(),
    status: jobStatusSchema,
    /** Which try of the work this is; left out for the first. */
    attempt: z.int().min(1).optional(),
    message: z.string().optional(),
    /** `{done: 0}` until a producer says more. */
    progress: progressSchema,
    itemCounts: itemCountsSchema,
    /** From which rate and time left are computed; left out until a running job says how much is done, and after its end. */
    pace: paceSchema.optional(),
    /** Errors ever reported; the document keeps the newest 100. */
    errorCount: count,
    /** Log lines ever reported; the document keeps the newest 1,000. */
    logCount: count,
    /** What the job asked its owner, in the order of asking; how many of them are open, left out for none. */
    asks: z.array(askRowSchema).optional(),
    openAsks: count.optional(),
    parentId: z.string().optional(),
    /** The ended job whose work this one does again. */
    retryOf: z.string().optional(),
    cancelRequested: z.boolean(),
    pauseRequested: z.boolean(),
    /** The result of the work, any JSON. */
    result: z.unknown().optional(),
    createdAt: instant,
    startedAt: instant.optional(),
    updatedAt: instant,
    /** When the producer was last heard of. */
    lastEventAt: instant,
    endedAt: instant.optional(),
    /** When an ended job is removed. */
    expiresAt: instant.optional(),
    /** A running job that is silent for longer counts as stalled. */
    heartbeatSeconds: z.number().positive().optional(),
    /** A job that has not ended this long after its start fails. */
    timeoutSeconds: z.number().positive().optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'JobHeader' })
/** A job without its rows. */
export type JobHeader = z.infer<typeof jobHeaderSchema>

export const jobSchema = jobHeaderSchema
  .extend({
    steps: z.array(stepSchema),
    items: z.array(itemSchema),
    errors: z.array(errorRowSchema),
    logs: z.array(logRowSchema),
  })
  .meta({ id: 'Job' })
/** The document: a header and its rows. `steps[i].index === i`, `items[i].index === i`; errors and logs are oldest first. */
export type Job = z.infer<typeof jobSchema>

export const patchSchema = z
  .object({
    from: count,
    to: count,
    /** More pages follow: the document is at no version until a patch without it. */
    more: z.literal(true).optional(),
    /** The header. `result` and `metadata` are left out when unchanged since `from`, `null` when cleared. */
    job: jobHeaderSchema.extend({ metadata: z.record(z.string(), z.unknown()).nullable().optional() }),
    steps: z.array(stepSchema).optional(),
    items: z.array(itemSchema).optional(),
    errors: z.array(errorRowSchema).optional(),
    logs: z.array(logRowSchema).optional(),
  })
  .meta({ id: 'Patch' })
/** What changed in a document between two versions. A snapshot is a patch from 0. */
export type Patch = z.infer<typeof patchSchema>
/** The header as a patch carries it. */
export type PatchHeader = Patch['job']
