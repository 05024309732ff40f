import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { JobReplica } from '../../../../../client/connection/jobs/job-replica.ts'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { backUp, restore } from '../../../../../server/engines/sqlite/file/backup.ts'
import type { Job, Patch } from '../../../../../shared/document/job.ts'
import { TestApp } from '../../../../support/test-app.ts'
import { withPath } from './sqlite-fixtures.ts'

/** A server on a file that is stopped, started, copied and put back; and the numbers that were published, as the file must have them. */
class RestoredServer {
  history: number[] = []
  restarts = 0
  readonly #path: string
  readonly #copies: number[][] = []
  #engine: SqliteEngine | undefined
  #app: TestApp | undefined
  #published = 0

  constructor(path: string) {
    this.#path = path
  }

  get app(): TestApp {
    if (!this.#app) throw new Error('It is not started')
    return this.#app
  }

  async start(): Promise<void> {
    const engine = await SqliteEngine.open(this.#path)
    this.#engine = engine
    this.#app = new TestApp({ engine })
  }

  async stop(): Promise<void> {
    await this.app.app.close()
    await this.#engine?.close()
    this.restarts += 1
  }

  async publish(): Promise<void> {
    this.#published += 1
    this.history = [...this.history, this.#published]
    await this.app.publish('j', { type: 'log', message: `${this.#published}` })
  }

  backUp(): void {
    backUp(this.#path, `${this.#path}.${this.#copies.length}`)
    this.#copies.push(this.history)
  }

  /** Puts back the copy that a number chooses, if there is any. */
  async restore(choice: number): Promise<void> {
    const index = choice % Math.max(1, this.#copies.length)
    const history = this.#copies[index]
    if (!history) return
    await this.stop()
    restore(this.#path, `${this.#path}.${index}`)
    await this.start()
    this.history = history
  }
}

/** A client that asks now and then. */
class PollingClient {
  readonly #replica = new JobReplica()
  #history: number[] | undefined
  #restarts = 0

  async sync(server: RestoredServer): Promise<void> {
    const { cursor } = this.#replica
    const since = cursor === undefined ? '' : `?since=${cursor}`
    const response = await server.app.request('GET', `/api/jobs/j${since}`)
    const answer = (await response.json()) as Job | Patch
    const message =
      'from' in answer ? { event: 'patch' as const, data: answer } : { event: 'snapshot' as const, data: answer }
    expect(this.#replica.receive(message)).toEqual({})
    expect(this.#replica.job).toEqual(await server.app.document('j'))
    expect(this.#replica.job?.logs.map(({ message }) => Number(message))).toEqual(server.history)
    // What it has is the beginning of what is there: then it is sent no more than what is new, however often the server was started.
    const continues = this.#history?.every((number, index) => number === server.history[index])
    const isRemembered = server.restarts - this.#restarts < 7
    if (isRemembered) expect([server.history, 'from' in answer]).toEqual([server.history, continues === true])
    this.#history = server.history
    this.#restarts = server.restarts
  }
}

describe('a restored database', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ act: fc.constant('publish' as const) }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('sync' as const), client: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('restart' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('backUp' as const) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('restore' as const), choice: fc.nat(9) }) },
  )

  test('a client of any past comes to the document of the server, and is sent all of it only when its own is another', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) =>
        withPath(async (path) => {
          const server = new RestoredServer(path)
          await server.start()
          await server.app.create({ id: 'j' })
          const clients = [new PollingClient(), new PollingClient(), new PollingClient()]
          for (const chosen of steps) {
            if (chosen.act === 'publish') await server.publish()
            else if (chosen.act === 'sync') await clients[chosen.client]?.sync(server)
            else if (chosen.act === 'backUp') server.backUp()
            else if (chosen.act === 'restore') await server.restore(chosen.choice)
            else {
              await server.stop()
              await server.start()
            }
          }
          for (const client of clients) await client.sync(server)
          await server.stop()
        }),
      ),
      { numRuns: 12 },
    )
  }, 180_000)
})
