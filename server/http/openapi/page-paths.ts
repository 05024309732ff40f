import { answer, anyone, id, ifNoneMatch, type Json, json, problem, query, textBody } from './parts.ts'

/** An object that has all of these fields. */
const record = (properties: Json): Json => ({ type: 'object', properties, required: Object.keys(properties) })
const ok = { type: 'string', const: 'ok' }

/** The paths to operate the server. */
export const operationPaths: Json = {
  '/healthz': {
    get: {
      summary: 'Liveness',
      ...anyone,
      responses: {
        200: { description: 'The process is alive', content: json(record({ status: ok })) },
        '4XX': problem,
      },
    },
  },
  '/readyz': {
    get: {
      summary: 'Readiness',
      ...anyone,
      responses: {
        200: {
          description: 'The store is available',
          content: json(record({ status: ok, engine: { type: 'string' } })),
        },
        '4XX': problem,
        503: { ...problem, description: 'The store is unavailable' },
      },
    },
  },
  '/openapi.json': {
    get: {
      summary: 'This document',
      ...anyone,
      parameters: [ifNoneMatch],
      responses: {
        200: { description: 'OpenAPI 3.1', content: json({ type: 'object' }) },
        304: answer('Nothing changed'),
        '4XX': problem,
      },
    },
  },
  '/metrics': {
    get: {
      summary: 'Metrics of the server, for jobs:admin without a tenant',
      responses: { 200: textBody('application/openmetrics-text', 'OpenMetrics'), '4XX': problem },
    },
  },
}

const html = (description: string) => textBody('text/html', description)
const signedIn = (summary: string, more: Json = {}) => ({
  get: {
    summary,
    security: [{ session: [] }],
    ...more,
    responses: { 200: html('The page'), 401: html('How to sign in') },
  },
})

/** The paths of pages and scripts. */
export const pagePaths: Json = {
  '/': signedIn('The dashboard: all of your jobs'),
  '/jobs/{id}': signedIn("One job's page", { parameters: [id] }),
  '/operator': signedIn('The page of administrators'),
  '/docs': { get: { summary: 'The documentation', ...anyone, responses: { 200: html('The page'), '4XX': problem } } },
  '/docs/{page}': {
    get: {
      summary: 'A page of the documentation',
      ...anyone,
      parameters: [
        {
          ...id,
          name: 'page',
          description: 'Name of a page, such as wire. The navigation of each page has all of them.',
        },
      ],
      responses: { 200: html('The page'), 404: problem },
    },
  },
  '/sign-in': {
    get: {
      summary: 'Sign in with a code that works once',
      ...anyone,
      parameters: [{ ...query('code', 'The code of a sign-in link.'), required: true }],
      responses: {
        200: answer('To HEAD, which does not redeem the code'),
        303: answer('Signed in: on to the dashboard'),
        401: html('How to get a code'),
      },
    },
    post: {
      summary: 'Sign in with an access token, from our own page',
      ...anyone,
      requestBody: {
        required: true,
        content: {
          'application/x-www-form-urlencoded': {
            schema: {
              type: 'object',
              properties: {
                token: { type: 'string', description: 'An access token.' },
                job: { type: 'string', description: 'The job whose page comes next.' },
              },
              required: ['token'],
            },
          },
        },
      },
      responses: {
        303: answer('Signed in: on to the dashboard, or to the page of the job'),
        400: problem,
        401: html('Why not, and how to sign in'),
        403: { ...problem, description: 'From a page of another site' },
        413: problem,
        415: problem,
        default: problem,
      },
    },
  },
  '/sign-out': {
    post: {
      summary: 'Sign out, from our own pages',
      ...anyone,
      responses: {
        303: answer('Signed out'),
        403: { ...problem, description: 'From a page of another site' },
        default: problem,
      },
    },
  },
  '/widget.js': {
    get: {
      summary: 'The element for other pages',
      ...anyone,
      responses: { 200: textBody('text/javascript', 'A module'), 304: answer('Unchanged'), '4XX': problem },
    },
  },
  '/widget-more.js': {
    get: {
      summary: 'What the element loads when it needs it',
      ...anyone,
      responses: { 200: textBody('text/javascript', 'A module'), 304: answer('Unchanged'), '4XX': problem },
    },
  },
  '/widget-full.js': {
    get: {
      summary: 'What the element loads when it needs it',
      ...anyone,
      responses: { 200: textBody('text/javascript', 'A module'), 304: answer('Unchanged'), '4XX': problem },
    },
  },
}
