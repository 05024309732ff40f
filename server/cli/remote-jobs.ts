import { eventSchema } from '../../shared/document/events.ts'
import type { Sent } from '../../shared/producer/batcher.ts'
import { explainRedirect, readAnswer } from '../../shared/producer/http-sender.ts'
import { backOff } from '../../shared/time/backoff.ts'
import { type Clock, systemClock, systemRandom } from '../../shared/time/clock.ts'
import { isJob, isReceipt } from '../../shared/wire/answers.ts'
import type { ProblemDocument, Receipt } from '../../shared/wire/api.ts'
import { eventsPath, jobPagePath, jobsPath } from '../../shared/wire/paths.ts'
import { ConfigError } from '../config.ts'
import { JobEventEmitter, noControl } from '../jobs/emitter.ts'
import { escapeControls } from '../services/kit/untrusted-text.ts'
import { wait } from '../services/kit/wait.ts'

type Wake = (asked: Pick<Receipt, 'cancelRequested' | 'pauseRequested'>) => void

interface Seams {
  clock?: Clock
  fetch?: (url: URL, init: RequestInit) => Promise<Response>
}

/** Time-out of one request: milliseconds. */
const REQUEST_MS = 30_000
/** Attempts to send the remaining events at the end, and the backoff between them: milliseconds. */
const LAST_TRIES = 7
const LAST_WAIT_MS = { first: 1_000, most: 16_000 }

/** Why a server does not have all events of a job. */
interface Unsent {
  why: string
  /** The server takes no more events of the job, and has dropped some. */
  isRefused: boolean
}

/** Client of a server that work in this process reports to. */
export class RemoteJobs {
  /** Publishes events. Requests to cancel or pause arrive with the receipts. */
  readonly emitter: JobEventEmitter
  readonly #url: URL
  readonly #token: string
  readonly #clock: Clock
  readonly #fetch: (url: URL, init: RequestInit) => Promise<Response>
  /** Epochs of the created jobs, by id. */
  readonly #epochs = new Map<string, string>()
  readonly #wakes = new Map<string, Wake>()
  /** Why the last batch failed, if it will be retried. */
  #delay: string | undefined
  /** Why the server took no more events of a job. */
  #refusal: string | undefined

  /** @param url of the server's dashboard */
  constructor(url: URL, token: string, { clock = systemClock, fetch = globalThis.fetch }: Seams = {}) {
    this.#url = url
    this.#token = token
    this.#clock = clock
    this.#fetch = fetch
    this.emitter = new JobEventEmitter({
      clock,
      random: systemRandom,
      validate: (event) => eventSchema.safeParse(event).data,
      publish: (jobId, events, key) => this.#publish(jobId, events, key),
      watch: async (jobId, wake) => {
        this.#wakes.set(jobId, wake)
        return () => this.#wakes.delete(jobId)
      },
    })
  }

  /** Creates a job. @returns its id. @throws ConfigError when the server does not respond or refuses the job */
  async create(job: { kind: string; title: string; heartbeatSeconds?: number }): Promise<string> {
    const response = await this.#post(jobsPath, job).catch(() => undefined)
    if (!response) throw new ConfigError(`${this.#url.href} does not answer`)
    const answer = await readAnswer(response, isJob, this.#clock.now())
    if ('body' in answer) {
      const { id, epoch } = answer.body
      this.#epochs.set(id, epoch)
      return id
    }
    throw new ConfigError(
      `${this.#url.href} refused the job. ${refusalReason(response, answer.problem, this.#urlOf(jobsPath))}`,
    )
  }

  /** Waits a limited time until all events of a job are acknowledged. @returns why some are not; `undefined` on success */
  async finish(jobId: string): Promise<Unsent | undefined> {
    for (let tries = 1; ; tries++) {
      await this.emitter.flush(jobId)
      if (this.#refusal !== undefined) return { why: this.#refusal, isRefused: true }
      if (this.#delay === undefined) return undefined
      if (tries === LAST_TRIES) return { why: this.#delay, isRefused: false }
      const ms = backOff(tries, LAST_WAIT_MS.first, LAST_WAIT_MS.most, systemRandom.number())
      await wait(ms, this.#clock, noControl.signal)
    }
  }

  /** URL of the job's page. */
  pageOf(jobId: string): string {
    return new URL(jobPagePath(jobId), this.#url).href
  }

  async #publish(jobId: string, events: unknown[], key: string): Promise<Sent> {
    this.#delay = undefined
    try {
      const path = eventsPath(jobId, this.#epochs.get(jobId))
      const response = await this.#post(path, events, { 'idempotency-key': key })
      const answer = await readAnswer(response, isReceipt, this.#clock.now())
      if ('body' in answer) {
        this.#wakes.get(jobId)?.(answer.body)
        return { receipt: answer.body }
      }
      const reason = refusalReason(response, answer.problem, this.#urlOf(path))
      if ('retry' in answer.failed) this.#delay = reason
      // The first one tells: later batches of an ended job are refused for that alone.
      if ('refused' in answer.failed) this.#refusal ??= reason
      return answer.failed
    } catch {
      this.#delay = 'It does not answer.'
      return { retry: true }
    }
  }

  #urlOf(path: string): URL {
    return new URL(path, this.#url)
  }

  /** Sends a request and reads the whole response. @throws on a network error or time-out */
  async #post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const abort = new AbortController()
    const timer = this.#clock.setTimeout(() => abort.abort(), REQUEST_MS)
    try {
      const answer = await this.#fetch(this.#urlOf(path), {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        redirect: 'manual',
        signal: abort.signal,
      })
      const { status, statusText, headers: answered } = answer
      return new Response(await answer.arrayBuffer(), { status, statusText, headers: answered })
    } finally {
      this.#clock.clearTimeout(timer)
    }
  }
}

/** Why a server refused a request to `url`: one line, with terminal control characters escaped. */
export function refusalReason(response: Response, problem: ProblemDocument | undefined, url: URL): string {
  const redirect = explainRedirect(response, url.href)
  if (redirect !== undefined) return `It ${redirect}`
  const why = problem?.detail ?? 'This is not a response of Milepost: check the proxy in front of it.'
  return `It answers ${response.status}: ${escapeControls(why)}`
}
