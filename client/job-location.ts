/** Where a job is, and by what right it is seen. */
export interface JobLocation {
  /** Where the server is mounted, without a slash at its end. */
  readonly base: string
  readonly id: string
  /** A watch token, of those who have no cookie. */
  readonly token: string | null
}

/**
 * The location that a page gives.
 *
 * @param url `/api/jobs/ID`, or its stream, `…/progress?token=…`, as `POST …/tokens` gives it
 * @param page what `url` is relative to, if it is
 * @throws TypeError when it is no URL
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
