import type { Milepost } from '../../../server/app.ts'
import type { Job } from '../../../shared/document/job.ts'
import { CANARY } from './canary.ts'

const rowsOf = (said: string) => [
  { type: 'item', id: said, label: said, status: 'running' },
  { type: 'step', id: said, label: said, status: 'running' },
  { type: 'error', message: said },
  { type: 'log', message: said },
]

/** One who holds what nobody else may see: jobs, and a session. Or somebody who has the same, and does not mind. */
export class Victim {
  readonly #app: Milepost
  readonly #headers: Record<string, string>
  /** What the victim's jobs are, by their ids, as the victim sees them. */
  readonly #jobs = new Map<string, string>()
  readonly #sub: string
  /** What everything of it says. */
  readonly #said: string
  #session = ''
  #told = 0

  /** @param token of the subject */
  constructor(app: Milepost, token: string, sub = 'victim', said = CANARY) {
    this.#app = app
    this.#sub = sub
    this.#said = said
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  }

  /** @returns the names that plans give what the victim has, and a token that shows the header of a job alone */
  async begin(): Promise<{ places: Record<string, string>; headerToken: string }> {
    const said = this.#said
    const running = await this.#create({ id: `${this.#sub}s`, kind: said, title: said, metadata: { said } })
    const ended = await this.#create({ kind: said, title: said })
    await this.#post(`/api/jobs/${ended.id}/events`, { type: 'status', status: 'completed', result: said })
    const shared = await this.#create({ id: `${this.#sub}-shared`, kind: 'test', title: 'Shared' })
    const { token } = await this.#post<{ token: string }>(`/api/jobs/${shared.id}/tokens`, {
      parts: 'header',
      seconds: 2_000_000,
    })
    for (const { id } of [running, ended, shared]) this.#jobs.set(id, await this.#get(`/api/jobs/${id}`))
    const code = this.#app.createSignInCode({ sub: this.#sub, scopes: ['jobs:read', 'jobs:write'] })
    await this.#app.request(`/sign-in?code=${code}`, { headers: { 'user-agent': said } })
    this.#session = await this.#get('/api/sessions')
    const places = {
      theirs0: running.id,
      theirs1: ended.id,
      theirs2: shared.id,
      theirEpoch: running.epoch,
      theirSession: (JSON.parse(this.#session) as { sessions: { id: string }[] }).sessions[0]?.id ?? '',
    }
    return { places, headerToken: token }
  }

  /** Goes on with the jobs that have not ended, for those who listen. */
  async tell(): Promise<void> {
    this.#told += 1
    for (const id of [`${this.#sub}s`, `${this.#sub}-shared`]) {
      await this.#post(`/api/jobs/${id}/events`, {
        type: 'item',
        id: this.#said,
        message: `${this.#said} ${this.#told}`,
      })
      this.#jobs.set(id, await this.#get(`/api/jobs/${id}`))
    }
  }

  /** @throws Error when anything is not as the victim left it */
  async check(): Promise<void> {
    for (const [id, job] of this.#jobs) {
      if ((await this.#get(`/api/jobs/${id}`)) !== job) throw new Error(`Another's job was changed: ${id}`)
    }
    if ((await this.#get('/api/sessions')) !== this.#session) throw new Error("Another's session was changed")
  }

  async #create(job: object): Promise<Job> {
    const created = await this.#post<Job>('/api/jobs', job)
    await this.#post(`/api/jobs/${created.id}/events`, [{ type: 'status', status: 'running' }, ...rowsOf(this.#said)])
    return created
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    const response = await this.#app.request(path, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${text}`)
    return JSON.parse(text) as T
  }

  async #get(path: string): Promise<string> {
    const response = await this.#app.request(path, { headers: this.#headers })
    return response.text()
  }
}
