import { undeliveredQuerySchema, webhookSecretQuerySchema } from '../../../shared/wire/webhooks.ts'
import { answer, anyone, apiCall, id, type Json, json, parametersOf, ref } from './parts.ts'

/** The paths of webhooks. */
export const webhookPaths: Json = {
  '/api/webhooks/secret': {
    get: apiCall(
      'Get the secret by which receivers verify your webhooks; of=server: those of the settings, with jobs:admin without a tenant',
      { 200: answer('The secret', 'WebhookSecret') },
      { parameters: parametersOf(webhookSecretQuerySchema) },
    ),
  },
  '/api/webhooks/undelivered': {
    get: apiCall(
      'List the webhooks that could not be delivered, newest first. For jobs:admin',
      { 200: answer('A page of webhooks', 'UndeliveredList') },
      { parameters: parametersOf(undeliveredQuerySchema) },
    ),
  },
  '/api/webhooks/undelivered/{id}/send': {
    post: apiCall(
      'Send an undelivered webhook again. For jobs:admin',
      { 202: answer('It is tried as often as a new one') },
      { parameters: [{ ...id, description: 'The id in the list.' }] },
    ),
  },
}

/** What the server sends to receivers. */
export const jobWebhook: Json = {
  operationId: 'receiveWebhook',
  summary: 'A job has ended, or asks something: sent to its notify and to the URLs of the settings',
  ...anyone,
  parameters: ['id', 'timestamp', 'signature'].map((name) => ({
    name: `webhook-${name}`,
    in: 'header',
    required: true,
    description: 'See Standard Webhooks.',
    schema: { type: 'string' },
  })),
  requestBody: { required: true, content: json(ref('Webhook')) },
  responses: { '2XX': answer('Received'), 410: answer('The receiver wants no more'), '5XX': answer('Try again later') },
}
