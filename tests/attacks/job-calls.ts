/** The request that publishes to several jobs. */
const MANY = 'api/events'

/** The status of an answer, or of the refusal within the answer of a request that publishes to several jobs. */
export const statusIn = (path: string, status: number, text: string): number =>
  path === MANY && status === 200 ? JSON.parse(text)[0].status : status

/** What one asks for who knows the id of another's job. */
export const jobCalls = (id: string): [method: string, path: string, body?: object][] => [
  ['GET', `api/jobs/${id}`],
  ['HEAD', `api/jobs/${id}`],
  ['GET', `api/jobs/${id}?since=x-1`],
  ['GET', `api/jobs/${id}?parts=header`],
  ['GET', `api/jobs/${id}/retries`],
  ['GET', `api/jobs/${id}/progress`],
  ['GET', `api/jobs/${id}/progress?parts=header`],
  ['GET', `api/progress?job=${id}`],
  ['POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }],
  ['POST', MANY, [{ job: id, events: [{ type: 'progress', done: 1 }] }]],
  ['POST', `api/jobs/${id}/answers/ask`, { value: true }],
  ['POST', `api/jobs/${id}/cancel`],
  ['POST', `api/jobs/${id}/pause`],
  ['POST', `api/jobs/${id}/resume`],
  ['POST', `api/jobs/${id}/tokens`, {}],
  ['POST', `api/jobs/${id}/tokens`, { can: 'publish' }],
  ['DELETE', `api/jobs/${id}/tokens`],
  ['DELETE', `api/jobs/${id}`],
]
