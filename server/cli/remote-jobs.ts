import type { Receipt, Sent } from '../../shared/batcher.ts'
import { systemClock, systemRandom } from '../../shared/clock.ts'
import { eventSchema } from '../../shared/events.ts'
import { ConfigError } from '../config.ts'
import { JobEventEmitter } from '../job-events.ts'

type Wake = (asked: Pick<Receipt, 'cancelRequested' | 'pauseRequested'>) => void

/** A server elsewhere, as one that work in this process reports to. */
export class RemoteJobs {
  /** Reports on the server's jobs. What watchers ask for arrives with the answers. */
  readonly emitter: JobEventEmitter
  readonly #url: URL
  readonly #token: string
  readonly #wakes = new Map<string, Wake>()

  /** @param url where the server's dashboard is */
  constructor(url: URL, token: string) {
    this.#url = url
    this.#token = token
    this.emitter = new JobEventEmitter({
      clock: systemClock,
      random: systemRandom,
      validate: (event) => eventSchema.safeParse(event).data,
      publish: (jobId, events, key) => this.#publish(jobId, events, key),
      watch: async (jobId, wake) => {
        this.#wakes.set(jobId, wake)
        return () => this.#wakes.delete(jobId)
      },
    })
  }

  /** Creates a job, and answers its id. @throws ConfigError when the server does not take it */
  async create(job: { kind: string; title: string; heartbeatSeconds?: number }): Promise<string> {
    const answer = await this.#post('api/jobs', job).catch(() => undefined)
    if (answer?.status === 201) return ((await answer.json()) as { id: string }).id
    const why = answer ? `answers ${answer.status}: ${await detailOf(answer)}` : 'does not answer'
    throw new ConfigError(`${this.#url.href} ${why}`)
  }

  /** Where people watch a job. */
  pageOf(jobId: string): string {
    return new URL(`jobs/${jobId}`, this.#url).href
  }

  async #publish(jobId: string, events: unknown[], key: string): Promise<Sent> {
    try {
      const answer = await this.#post(`api/jobs/${jobId}/events`, events, { 'idempotency-key': key })
      if (answer.ok) {
        const receipt = (await answer.json()) as Receipt
        this.#wakes.get(jobId)?.(receipt)
        return { receipt }
      }
      const isPassing = answer.status === 429 || answer.status >= 500
      return isPassing ? { retry: true } : { refused: await detailOf(answer) }
    } catch {
      return { retry: true }
    }
  }

  #post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(new URL(path, this.#url), {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  }
}

async function detailOf(answer: Response): Promise<string> {
  const problem: unknown = await answer.json().catch(() => undefined)
  const hasDetail = typeof problem === 'object' && problem !== null && 'detail' in problem
  return hasDetail ? String(problem.detail) : answer.statusText
}
