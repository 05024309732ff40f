import { jobPath, jobsPath, withoutSlash } from '../../shared/wire/paths.ts'
import type { GetToken } from './access/token-source.ts'

/** What goes into `Authorization: Bearer`, for clients without a cookie. */
export interface BearerOptions {
  bearer?: string | undefined
  /** Gives what goes there: it is asked for the first token, for another before the end, and after a refusal. Jobs with the same function, or the same `viewer`, share a connection. */
  getToken?: GetToken | undefined
}

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
      /** Where the server is mounted. Omitted: at the root of this origin. */
      baseUrl?: string | undefined
      url?: never
    }
) & {
  /** A watch token. Sent in the URL, so that EventSource works. */
  token?: string | undefined
  /**
   * Who reads: any text that differs between people and between their sessions. Tabs of one viewer share a connection, as tabs with one `bearer`
   * do; with a cookie they don't without it.
   */
  viewer?: string | undefined
  /** `header`: everything but the steps, items, errors and log. */
  parts?: 'header' | undefined
} & BearerOptions

/** A job's address, taken apart. Equal for the same job and credentials. */
export interface ParsedAddress {
  location: JobLocation
  parts: 'header' | 'all'
  credential: BearerOptions
  /** Equal for two addresses of the same job and credentials. */
  key: string
  /** Equal for two jobs that one stream can follow. */
  streamKey: string
  /** Equal in tabs that may share a stream. */
  viewer: string | undefined
}

/** The address of a job: where its server is, its id, the credentials to read it, and how much of it is read. */
export function parseJobAddress({
  url,
  jobId,
  baseUrl = '',
  bearer,
  getToken,
  viewer,
  ...more
}: JobAddress): ParsedAddress {
  const [beforeHash = ''] = (url ?? `${withoutSlash(baseUrl)}/${jobPath(jobId ?? '')}`).split('#', 1)
  const [path = '', search] = beforeHash.split('?', 2)
  const query = new URLSearchParams(search)
  const [base = '', rest = ''] = path.split(`/${jobsPath}/`, 2)
  const id = decodeURIComponent(rest.split('/', 1)[0] ?? '')
  const token = more.token ?? query.get('token')
  const parts = (more.parts ?? query.get('parts')) === 'header' ? 'header' : 'all'
  const streamKey = JSON.stringify([base, parts, token !== null, credentialKey({ bearer, getToken, viewer })])
  const key = JSON.stringify([streamKey, id, token])
  return {
    location: { base, id, token },
    parts,
    credential: { bearer, getToken },
    key,
    streamKey,
    // Watch tokens differ from job to job: the server checks them for the page that has them.
    viewer: token === null ? viewerOfTabs({ viewer, bearer, getToken }) : undefined,
  }
}

/** What tabs that may share a connection have in common. Tokens that are renewed differ from tab to tab. */
export function viewerOfTabs({
  viewer,
  bearer,
  getToken,
}: BearerOptions & { viewer?: string | undefined }): string | undefined {
  return viewer ?? (getToken ? undefined : bearer)
}

/** Equal for those who read with the same credentials in a page. */
export function credentialKey({ viewer, bearer, getToken }: BearerOptions & { viewer?: string | undefined }): string {
  return JSON.stringify([bearer, viewer, getToken !== undefined, viewer ?? numberOf(getToken)])
}

const numbers = new WeakMap<GetToken, number>()
let numbered = 0

/** Equal for the same function. */
function numberOf(getToken: GetToken | undefined): number | undefined {
  if (!getToken) return undefined
  const number = numbers.get(getToken) ?? ++numbered
  numbers.set(getToken, number)
  return number
}

/** The headers for a bearer token; none without one. */
export function bearerHeaders(bearer: string | undefined): Readonly<Record<string, string>> | undefined {
  return bearer === undefined ? undefined : { authorization: `Bearer ${bearer}` }
}

/** The address of a job, and the token to read it. */
export interface JobLocation {
  /** Where the server is mounted, without a slash at its end. */
  readonly base: string
  readonly id: string
  /** A watch token, for readers without a cookie. Another may take its place. */
  token: string | null
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
  const id = decodeURIComponent(rest.split('/')[0] ?? '')
  return { base: origin + path, id, token: token || searchParams.get('token') }
}

/** Where to ask for the job itself, or for what changed in it since a cursor. */
export function documentUrl({ base, id, token }: JobLocation, parts: 'header' | 'all', since?: string): string {
  const query = new URLSearchParams({ parts })
  if (since) query.set('since', since)
  if (token) query.set('token', token)
  return `${base}/${jobPath(id)}?${query}`
}
