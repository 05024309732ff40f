import type { ProducerEvent } from '../../shared/document/events.ts'
import type { Job, JobHeader } from '../../shared/document/job.ts'
import type { CreateJob, Receipt } from '../../shared/wire/api.ts'
import { withoutSlash } from '../../shared/wire/paths.ts'
import { expectDescribed } from './described-answers.ts'
import { StreamReader } from './stream-reader.ts'

/** What a refusal says. */
export interface Refusal {
  status: number
  fields: string[]
}

let count = 0

/** A word that no other test has: tests share a server. */
export function unique(word: string): string {
  count += 1
  return `${word}-${count}`
}

/** Somebody who calls the API of a server, with a token. Each answer has to be one that `/openapi.json` describes. */
export class ApiClient {
  readonly #url: string
  readonly #token: string | undefined

  /** @param url ends in a slash */
  constructor(url: string, token?: string) {
    this.#url = url
    this.#token = token
  }

  /** The address of a path such as `api/jobs`. */
  at(path: string): string {
    return new URL(path, this.#url).href
  }

  /**
   * @param body text, bytes and forms as they are; anything else as JSON
   * @throws Error for an answer that is not described
   */
  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const isForm = body instanceof FormData
    const isRaw = isForm || typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream
    const type: Record<string, string> = body === undefined || isForm ? {} : { 'content-type': 'application/json' }
    const response = await fetch(this.at(path), {
      method,
      headers: { ...this.#authorization, ...type, ...headers },
      redirect: 'manual',
      ...(body === undefined ? {} : { body: isRaw ? (body as BodyInit) : JSON.stringify(body) }),
    })
    await this.#expectDescribed(method, path, response)
    return response
  }

  /** The JSON of an answer that must have a status. */
  async json<T>(status: number, ...request: Parameters<ApiClient['request']>): Promise<T> {
    const response = await this.request(...request)
    if (response.status !== status) throw new Error(`${response.status}: ${await response.text()}`)
    return (await response.json()) as T
  }

  /** How a request is refused: the status, and the fields that the problem document names. Checks the document's form. */
  async refusal(...request: Parameters<ApiClient['request']>): Promise<Refusal> {
    const response = await this.request(...request)
    return refusalOf(response)
  }

  create(fields: Partial<CreateJob> = {}): Promise<Job> {
    return this.json(201, 'POST', 'api/jobs', { kind: 'test', title: 'Test', ...fields })
  }

  read(id: string): Promise<Job> {
    return this.json(200, 'GET', `api/jobs/${id}`)
  }

  /** Waits until a job is there, and as a test wants it. */
  async until(id: string, is: (job: Job) => boolean): Promise<Job> {
    for (;;) {
      const response = await this.request('GET', `api/jobs/${id}`)
      const job = response.status === 200 ? ((await response.json()) as Job) : undefined
      if (job && is(job)) return job
      await Bun.sleep(20)
    }
  }

  publish(id: string, ...events: ProducerEvent[]): Promise<Receipt> {
    return this.json(200, 'POST', `api/jobs/${id}/events`, events)
  }

  operate(id: string, operation: 'cancel' | 'pause' | 'resume'): Promise<JobHeader> {
    return this.json(202, 'POST', `api/jobs/${id}/${operation}`)
  }

  share(id: string, request: object = {}): Promise<{ token: string; url: string; expiresAt: string }> {
    return this.json(201, 'POST', `api/jobs/${id}/tokens`, request)
  }

  async stream(path: string, headers: Record<string, string> = {}): Promise<StreamReader> {
    const stream = await StreamReader.open(this.at(path), { ...this.#authorization, ...headers })
    await this.#expectDescribed('GET', path, stream.response)
    return stream
  }

  #expectDescribed(method: string, path: string, response: Response): Promise<void> {
    const mount = withoutSlash(new URL(this.#url).pathname)
    return expectDescribed(method, new URL(this.at(path)).pathname.slice(mount.length), response)
  }

  get #authorization(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
  }
}

/** What a problem document says. @throws Error for an answer that is none, or not as RFC 9457 wants it */
export async function refusalOf(response: Response): Promise<Refusal> {
  const text = await response.text()
  const type = response.headers.get('content-type')
  if (type !== 'application/problem+json') throw new Error(`${response.status} as ${type}: ${text}`)
  const problem = JSON.parse(text) as { type: string; status: number; title: string; detail: string } & {
    errors?: { field: string; detail: string }[]
  }
  const isComplete = problem.type.startsWith('urn:milepost:') && problem.title.length > 0 && problem.detail.length > 0
  if (problem.status !== response.status || !isComplete) throw new Error(`${response.status}: ${text}`)
  if (text.includes(response.headers.get('x-request-id') ?? '\0')) throw new Error(`It holds its request id: ${text}`)
  return { status: problem.status, fields: problem.errors?.map(({ field }) => field) ?? [] }
}
