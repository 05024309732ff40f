import { z } from 'zod'
import { askRowSchema } from '../document/ask-schema.ts'
import { jobHeaderSchema } from '../document/job.ts'

/** What webhooks tell of. */
const webhookTypes = ['job.completed', 'job.failed', 'job.cancelled', 'job.asked'] as const
export type WebhookType = (typeof webhookTypes)[number]

/** Most URLs that a job notifies, and characters of one. */
const MAX_URLS = 5
const MAX_URL_LENGTH = 1_024

/** Why nothing can be sent to a URL; `undefined` for a good one. */
function flawOfUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL'
  const { protocol, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be an https URL'
  if (username !== '' || password !== '') return 'must have no user name and password'
  return hash === '' ? undefined : 'must have no fragment'
}

/** A URL that receives webhooks. Which schemes and addresses are allowed depends on the server. */
export const webhookUrlSchema = z
  .string()
  .max(MAX_URL_LENGTH)
  .superRefine((text, { addIssue }) => {
    const message = flawOfUrl(text)
    if (message !== undefined) addIssue({ code: 'custom', message })
  })

export const notifySchema = z.array(webhookUrlSchema).min(1).max(MAX_URLS)

/** The body of a webhook. */
export const webhookSchema = z
  .object({
    /** Of this format. */
    apiVersion: z.literal(1),
    type: z.enum(webhookTypes),
    /** When it happened. */
    timestamp: z.iso.datetime(),
    data: z.object({
      job: jobHeaderSchema.omit({ result: true, metadata: true, asks: true }),
      /** Of `job.asked`: what the job asks, with the answer if there is one by now. */
      ask: askRowSchema.optional(),
    }),
  })
  .meta({ id: 'Webhook' })
export type Webhook = z.infer<typeof webhookSchema>

export const webhookSecretSchema = z
  .object({
    /** The key by which receivers verify signatures: `whsec_…`. */
    secret: z.string(),
  })
  .meta({ id: 'WebhookSecret' })

/** The query of `GET /api/webhooks/secret`. */
export const webhookSecretQuerySchema = z.strictObject({
  /** The secret of the URLs in the server's settings. For `jobs:admin` without a tenant. */
  of: z.literal('server').optional(),
})

const UNDELIVERED_ID = /^[0-9a-f]{12}-[0-9a-v]{8}$/

export const undeliveredIdSchema = z.string().regex(UNDELIVERED_ID, 'must be the id of an undelivered webhook')

/** The query of `GET /api/webhooks/undelivered`. */
export const undeliveredQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().regex(UNDELIVERED_ID, 'must be the nextCursor of the previous page').optional(),
})
export type UndeliveredQuery = z.infer<typeof undeliveredQuerySchema>

const undeliveredSchema = z.object({
  id: z.string(),
  job: z.string(),
  /** Which life of the job. */
  epoch: z.string(),
  /** The version of the event. */
  version: z.int(),
  type: z.enum(webhookTypes),
  /** Of `job.asked`: the id of the ask. */
  ask: z.string().optional(),
  url: z.string(),
  /** The URL is from the server's settings. Omitted: the job was created with it. */
  ofServer: z.literal(true).optional(),
  /** When it happened. */
  occurredAt: z.iso.datetime(),
  /** When the last attempt failed. */
  failedAt: z.iso.datetime(),
  tries: z.int(),
  /** Why the last attempt failed. */
  reason: z.string(),
})
/** A webhook that could not be delivered. */
export type UndeliveredWebhook = z.infer<typeof undeliveredSchema>

export const undeliveredListSchema = z
  .object({ undelivered: z.array(undeliveredSchema), nextCursor: z.string().optional() })
  .meta({ id: 'UndeliveredList' })
/** A page of undelivered webhooks, newest first. */
export type UndeliveredList = z.infer<typeof undeliveredListSchema>
