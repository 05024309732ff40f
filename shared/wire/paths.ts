/** Paths of the API and of pages, relative to where the server is mounted. */

/** The jobs in the API. */
export const jobsPath = 'api/jobs'

/** The stream of several jobs in the API. */
export const progressPath = 'api/progress'

/** Where events of several jobs are published. */
export const manyEventsPath = 'api/events'

/** The WebSocket of producers. */
export const reportPath = 'api/report'

/** A job in the API. */
export function jobPath(id: string): string {
  return `${jobsPath}/${encodeURIComponent(id)}`
}

/** Where events of a job are published. @param epoch the life of the job that they are for; any, when left out */
export function eventsPath(id: string, epoch?: string): string {
  return `${jobPath(id)}/events${epoch === undefined ? '' : `?epoch=${epoch}`}`
}

/** The page of a job in the dashboard. */
export function jobPagePath(id: string): string {
  return `jobs/${encodeURIComponent(id)}`
}

/** `url` without the slash at its end. */
export function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url
}
