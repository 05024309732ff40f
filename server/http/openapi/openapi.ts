import { z } from 'zod'
import { askSchemaSchema } from '../../../shared/document/ask-schema.ts'
import { createEventSchema } from '../../../shared/document/events.ts'
import { jobHeaderSchema, jobSchema, patchSchema } from '../../../shared/document/job.ts'
import type { Limits } from '../../../shared/document/limits.ts'
import {
  auditListSchema,
  createRequestSchemas,
  jobListSchema,
  problemSchema,
  receiptSchema,
  sessionListSchema,
  signInLinkSchema,
  tokenSchema,
} from '../../../shared/wire/api.ts'
import { operatorSchema } from '../../../shared/wire/operator.ts'
import { undeliveredListSchema, webhookSchema, webhookSecretSchema } from '../../../shared/wire/webhooks.ts'
import { digestOf } from '../../support/digest.ts'
import { version } from '../../version.ts'
import { createCloudEventSchema } from '../body/cloud-event.ts'
import { withOperationIds } from './operation-ids.ts'
import type { Json } from './parts.ts'
import { createPaths } from './paths.ts'
import { jobWebhook } from './webhook-paths.ts'

/** The serialized description. */
interface OpenApiText {
  json: string
  /** The same for every address, because clients compare ETags per URL. */
  etag: string
}

/**
 * Serializes the description for each address of the server. It is created once, because that takes 10 ms and anyone may request it. A
 * mount path may have parameters from the request, so the variants are not cached.
 *
 * @param server URL or mount path, without a slash at its end unless it is one
 */
export function openApiTexts(create: () => Json): (server: string) => Promise<OpenApiText> {
  const make = async (): Promise<OpenApiText> => {
    const json = JSON.stringify(create())
    return { json, etag: `"${await digestOf(json)}"` }
  }
  let made: Promise<OpenApiText> | undefined
  return async (server) => {
    made ??= make()
    const { json, etag } = await made
    // Clients append paths to the server's URL.
    return { json: `{"servers":${JSON.stringify([{ url: server }])},${json.slice(1)}`, etag }
  }
}

/** The OpenAPI 3.1 description of the HTTP API, generated from the schemas that validate requests. */
export function createOpenApi(limits: Limits): Json {
  const requests = createRequestSchemas(limits)
  const eventSchema = createEventSchema(limits)
  const schemas = {
    Answer: requests.answer,
    AskSchema: askSchemaSchema,
    Job: jobSchema,
    JobHeader: jobHeaderSchema,
    JobList: jobListSchema,
    Patch: patchSchema,
    Event: eventSchema,
    JobEvents: requests.jobEvents.extend({ events: z.array(eventSchema).min(1) }),
    CloudEvent: createCloudEventSchema(limits),
    CreateJob: requests.createJob,
    CreateToken: requests.createToken,
    CreateSignInLink: requests.createSignInLink,
    Receipt: receiptSchema,
    AuditList: auditListSchema,
    Operator: operatorSchema,
    SessionList: sessionListSchema,
    SignInLink: signInLinkSchema,
    Token: tokenSchema,
    Problem: problemSchema,
    UndeliveredList: undeliveredListSchema,
    Webhook: webhookSchema,
    WebhookSecret: webhookSecretSchema,
  }
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  // OpenAPI 3.1 uses JSON Schema 2020-12.
  const generated = z.toJSONSchema(registry, {
    target: 'draft-2020-12',
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  })
  const components: Json = {}
  // The generated `$id` is a reference, which OpenAPI does not allow there.
  for (const [name, { $id: _id, $schema: _schema, ...schema }] of Object.entries(generated.schemas))
    components[name] = schema
  return {
    openapi: '3.1.0',
    info: {
      title: 'Milepost',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description: 'Live job progress: producers append events to a job, watchers follow it over Server-Sent Events.',
    },
    security: [{ bearer: [] }],
    paths: withOperationIds(createPaths()),
    webhooks: { job: { post: jobWebhook } },
    components: {
      schemas: components,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'milepost_session',
          description: 'Over TLS its name begins with __Host-, or with __Secure- where the server is under a path.',
        },
      },
    },
  }
}
