import { type AppOptions, createApp, type Milepost } from '../../server/app.ts'
import { MemoryEngine } from '../../server/engines/memory.ts'
import type { ProducerEvent } from '../../shared/document/events.ts'
import type { Job, JobHeader } from '../../shared/document/job.ts'
import { defaultLimits } from '../../shared/document/limits.ts'
import type { CreateJob } from '../../shared/wire/api.ts'
import { SeededRandom } from '../seeded-random.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { SECRET, virtualToken } from './tokens.ts'

/** The app in this process, under a clock that stands still: what needs no network. */
export class TestApp {
  readonly clock = new VirtualClock()
  readonly errors: unknown[] = []
  /** `ada`'s access token. */
  readonly token = virtualToken('ada')
  readonly engine: MemoryEngine
  readonly app: Milepost

  constructor(options: Partial<AppOptions> = {}) {
    const limits = { ...defaultLimits, ...options.limits }
    this.engine = new MemoryEngine({ limits })
    this.app = createApp({
      engine: this.engine,
      auth: { secret: SECRET },
      clock: this.clock,
      random: new SeededRandom(1),
      onError: (error) => this.errors.push(error),
      ...options,
    })
  }

  /** A request by `ada`, who may read and write, unless the headers say otherwise. */
  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const authorization = `Bearer ${await this.token}`
    const init: RequestInit = { method, headers: { authorization, ...headers } }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { authorization, 'content-type': 'application/json', ...headers }
    }
    return this.app.request(path, init)
  }

  async create(fields: Partial<CreateJob> = {}): Promise<JobHeader> {
    const response = await this.request('POST', '/api/jobs', { kind: 'test', title: 'Test', ...fields })
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`)
    return (await response.json()) as Job
  }

  async publish(id: string, ...events: ProducerEvent[]): Promise<Response> {
    return this.request('POST', `/api/jobs/${id}/events`, events)
  }

  async document(id: string): Promise<Job> {
    const response = await this.request('GET', `/api/jobs/${id}`)
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    return (await response.json()) as Job
  }
}
