import { parseCursor } from '../../../shared/document/cursor.ts'
import { problemSchema } from '../../../shared/wire/api.ts'
import { EventStreamParser } from '../../event-stream-parser.ts'
import { CANARY, MARKUP } from './canary.ts'

/** Statuses whose problem is some field's, which it has to name. */
const FIELD_STATUSES = [400, 413, 415, 422]
/** What is answered with a page, whatever the status. */
const PAGES = /^(\/|\/jobs\/[^/]*|\/operator|\/docs|\/sign-in)$/
const EVENTS = 'snapshot patch ping end progress status item step job-error log control'.split(' ')

/** What a request got, but for streams read to its end. */
export interface Answer {
  status: number
  headers: Headers
  text: string
}

/** What a request was, as far as its answer depends on it. */
export interface Asked {
  method: string
  /** Without the query. */
  path: string
  /** Whether it may see the jobs of others. */
  isAdmin: boolean
  /** Whether the server may fail, as long as it says so: its store is damaged. */
  mayFail?: boolean
}

/** What is wrong with an answer, whatever was asked: nothing, if nothing is. */
export function faultOf(
  { method, path, isAdmin, mayFail = false }: Asked,
  { status, headers, text }: Answer,
): string | undefined {
  if (status >= 500 && !mayFail) return `the server failed: ${status}`
  for (const [name, value] of headers)
    if (!/^[\t\x20-\x7e]*$/.test(value)) return `the header ${name} has other bytes than text`
  if (headers.get('x-content-type-options') !== 'nosniff' && status !== 204) return 'browsers may guess its type'
  const all = `${text}\n${JSON.stringify([...headers])}`
  if (!isAdmin && all.includes(CANARY)) return "it holds what is another principal's"
  if (text === '') return status >= 400 && method !== 'HEAD' ? 'a refusal without a document' : undefined
  if (method === 'HEAD' || status === 204 || status === 304) return `a body where there is none: ${method} ${status}`
  const type = headers.get('content-type') ?? ''
  if (status >= 400 && !(status === 401 && PAGES.test(path))) return faultOfProblem(status, type, text)
  if (type.startsWith('text/html')) return faultOfPage(headers, text)
  if (type === 'text/event-stream') return faultOfStream(text)
  if (type === 'application/json') return faultOfJson(text)
  return /^(text\/(javascript|css|plain)|application\/openmetrics-text)/.test(type) ? undefined : `of the type ${type}`
}

function faultOfProblem(status: number, type: string, text: string): string | undefined {
  if (type !== 'application/problem+json') return `a refusal of the type ${type}`
  const fault = faultOfJson(text)
  if (fault !== undefined) return fault
  const problem = problemSchema.safeParse(JSON.parse(text))
  if (!problem.success) return `no problem document: ${problem.error.message}`
  if (problem.data.status !== status) return `a problem document of another status: ${problem.data.status}`
  if (problem.data.title === '' || problem.data.detail === '') return 'a problem document that says nothing'
  const { errors = [] } = problem.data
  if (errors.some(({ field, detail }) => field === '' || detail === '')) return 'a field without a name or a detail'
  return FIELD_STATUSES.includes(status) && errors.length === 0 ? 'names no field' : undefined
}

function faultOfJson(text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x1f]/.test(text)) return 'control characters in JSON'
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return 'no JSON'
  }
}

function faultOfPage(headers: Headers, text: string): string | undefined {
  if (text.includes(MARKUP)) return 'markup that was sent is markup in a page'
  return headers.get('content-security-policy')?.includes("default-src 'self'") ? undefined : 'a page without a policy'
}

/** What is wrong with the bytes of a stream, as far as they came. */
export function faultOfStream(text: string): string | undefined {
  // What a browser takes for the end of a line (WHATWG HTML, 9.2.6).
  const lines = text.split(/\r\n|\n|\r/)
  // The last may be cut short.
  for (const line of lines.slice(0, -1)) {
    if (line !== '' && !/^(event|data|id|retry): /.test(line))
      return `a line that no message has: ${JSON.stringify(line)}`
  }
  const parser = new EventStreamParser()
  parser.push(new TextEncoder().encode(text))
  for (const { event, data, lastEventId } of parser.dispatched) {
    if (!EVENTS.includes(event)) return `an event that there is not: ${event}`
    if (lastEventId !== '' && !parseCursor(lastEventId)) return `an id that is no cursor: ${lastEventId}`
    const fault = faultOfJson(data)
    if (fault !== undefined) return `${fault} in ${event}`
  }
  return undefined
}
