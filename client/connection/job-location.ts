/** The address of a job, and the token to read it. */
export interface JobLocation {
  /** Where the server is mounted, without a slash at its end. */
  readonly base: string
  readonly id: string
  /** A watch token, for readers without a cookie. */
  readonly token: string | null
}

/**
 * Parses the address of a job.
 *
 * @param url `/api/jobs/ID`, or its stream, `…/progress?token=…`, as `POST …/tokens` gives it
 * @param page the base of a relative `url`
 * @throws TypeError for an invalid URL
 */
export function locateJob(url: string, token: string | null, page?: string): JobLocation {
  const { origin, pathname, searchParams } = new URL(url, page)
  const [path = '', rest = ''] = pathname.split('/api/jobs/')
  const [id = ''] = rest.split('/')
  return { base: origin + path, id, token: token || searchParams.get('token') }
}

/** Where to ask for the job itself. */
export function documentUrl({ base, id, token }: JobLocation, parts: 'header' | 'all'): string {
  const query = new URLSearchParams({ parts })
  if (token) query.set('token', token)
  return `${base}/api/jobs/${id}?${query}`
}
