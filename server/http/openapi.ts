import { z } from 'zod'
import { createEventSchema } from '../../shared/document/events.ts'
import { jobHeaderSchema, jobSchema, patchSchema } from '../../shared/document/job.ts'
import type { Limits } from '../../shared/document/limits.ts'
import {
  createRequestSchemas,
  jobListSchema,
  problemSchema,
  receiptSchema,
  sessionListSchema,
  signInLinkSchema,
  tokenSchema,
} from '../../shared/wire/api.ts'
import { digestOf } from '../support/digest.ts'
import { version } from '../version.ts'
import { createPaths, type Json } from './openapi-paths.ts'

/** The description as it is sent. */
export interface OpenApiText {
  json: string
  /** The same for every mount path: a tag is compared with others of one URL only. */
  etag: string
}

/**
 * The description for each mount path, as it is sent. It is made once, for it takes 10 ms and anyone may ask; a mount path may hold
 * what the request says, so what differs by it is not kept.
 *
 * @param base where the app is mounted: a path that does not end in a slash
 */
export function openApiTexts(create: () => Json): (base: string) => Promise<OpenApiText> {
  const make = async (): Promise<OpenApiText> => {
    const json = JSON.stringify(create())
    return { json, etag: `"${await digestOf(json)}"` }
  }
  let made: Promise<OpenApiText> | undefined
  return async (base) => {
    made ??= make()
    const { json, etag } = await made
    // Paths are appended to it. Without one they begin at the root.
    return { json: base === '' ? json : `{"servers":${JSON.stringify([{ url: base }])},${json.slice(1)}`, etag }
  }
}

/** The OpenAPI 3.1 description of the HTTP API, made from the schemas that requests are checked with. */
export function createOpenApi(limits: Limits): Json {
  const requests = createRequestSchemas(limits)
  const schemas = {
    Job: jobSchema,
    JobHeader: jobHeaderSchema,
    JobList: jobListSchema,
    Patch: patchSchema,
    Event: createEventSchema(limits),
    CreateJob: requests.createJob,
    CreateToken: requests.createToken,
    CreateSignInLink: requests.createSignInLink,
    Receipt: receiptSchema,
    SessionList: sessionListSchema,
    SignInLink: signInLinkSchema,
    Token: tokenSchema,
    Problem: problemSchema,
  }
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id })
  // OpenAPI 3.1 takes JSON Schema as it is.
  const generated = z.toJSONSchema(registry, {
    target: 'draft-2020-12',
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  })
  const components: Json = {}
  // As an `$id` such a reference is not allowed.
  for (const [name, { $id: _id, $schema: _schema, ...schema }] of Object.entries(generated.schemas))
    components[name] = schema
  return {
    openapi: '3.1.0',
    info: {
      title: 'Milepost',
      version,
      description: 'Live job progress: producers append events to a job, watchers follow it over Server-Sent Events.',
    },
    security: [{ bearer: [] }],
    paths: createPaths(),
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
