import { jobPath, withoutSlash } from '../../shared/wire/paths.ts'

/** Which job, and the credentials to read it. */
export type JobAddress = (
  | {
      /** Where the job is, `/api/jobs/ID`, or its stream, `…/progress?token=…`, as `POST …/tokens` gives it. */
      url: string
      jobId?: never
      baseUrl?: never
    }
  | {
      jobId: string
      /** Where the server is mounted. Left out: at the root of this origin. */
      baseUrl?: string | undefined
      url?: never
    }
) & {
  /** A watch token. Sent in the URL, so that EventSource works. */
  token?: string | undefined
  /** What goes into `Authorization: Bearer`, for clients without a cookie or a watch token. */
  bearer?: string | undefined
  /** `header`: everything but the steps, items, errors and log. */
  parts?: 'header' | undefined
}

/** The URLs of a job, equal for the same job and credentials. */
interface JobUrls {
  /** The stream and the document, from a cursor. */
  stream(cursor: string | undefined): string
  document(cursor: string | undefined): string
  headers: Readonly<Record<string, string>> | undefined
  /** Equal for two addresses of the same job and credentials. */
  key: string
}

/** The URLs of a job's stream and document. */
export function jobUrls(address: JobAddress): JobUrls {
  const url = address.url ?? `${withoutSlash(address.baseUrl ?? '')}/${jobPath(address.jobId)}`
  const [beforeHash = ''] = url.split('#', 1)
  const queryAt = beforeHash.indexOf('?')
  const path = withoutSlash(queryAt === -1 ? beforeHash : beforeHash.slice(0, queryAt)).replace(/\/progress$/, '')
  const query = new URLSearchParams(queryAt === -1 ? '' : beforeHash.slice(queryAt))
  query.delete('since')
  if (address.token !== undefined) query.set('token', address.token)
  if (address.parts !== undefined) query.set('parts', address.parts)
  return {
    stream: (cursor) => withQuery(`${path}/progress`, query, cursor),
    document: (cursor) => withQuery(path, query, cursor),
    headers: bearerHeaders(address.bearer),
    key: `${withQuery(path, query, undefined)}\n${address.bearer ?? ''}`,
  }
}

/** The headers for a bearer token; none without one. */
export function bearerHeaders(bearer: string | undefined): Readonly<Record<string, string>> | undefined {
  return bearer === undefined ? undefined : { authorization: `Bearer ${bearer}` }
}

function withQuery(path: string, query: URLSearchParams, cursor: string | undefined): string {
  const all = new URLSearchParams(query)
  if (cursor !== undefined) all.set('since', cursor)
  const text = all.toString()
  return text === '' ? path : `${path}?${text}`
}

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
  return `${base}/${jobPath(id)}?${query}`
}
